// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openledger/openledger/testnet/compare/measure"
)

const (
	// Warm is the first stretch of a load, which counts nowhere.
	Warm = 4 * time.Second
	// workers submit at the same time, each with its own senders, so that the
	// transfers of one sender arrive in order.
	workers = 64
	// poll is the wait between two looks at the height.
	poll = 4 * time.Millisecond
	// A load ends early when this many seconds of it wait, or when more than this
	// part was refused: it has failed.
	maxBehind  = 4
	maxRefused = 0.02
	// drainQuiet without progress ends the wait for the last transfers.
	drainQuiet = 2 * time.Second
	drainMost  = 15 * time.Second
)

// Load is an open-loop stream: batch j of Batch transfers is due j·Batch/Rate
// seconds after the start, and is submitted then, whatever became of the others.
type Load struct {
	Chain Chain
	ID    [32]byte // of the chain, for the signatures
	Purse *Purse
	Nodes []int // which nodes get transfers
	Rate  int   // transfers per second
	Batch int   // transfers per request
	For   time.Duration
	// Sample reads processor times; it is called at both ends of the window.
	Sample func()
}

// job is one run's moving parts.
type job struct {
	Load
	list    []Transfer
	at      map[ID]int // index in list
	start   time.Time
	done    []atomic.Int64 // µs after start at which it was seen executed; 0: not yet
	refused atomic.Int64
	seen    atomic.Int64
	blocks  []int64 // µs after start at which each height was seen

	mu      sync.Mutex
	reasons map[string]int
}

// due is when transfer i is due, after the start.
func (l Load) due(i int) time.Duration {
	return time.Duration(float64(i/l.Batch*l.Batch) / float64(l.Rate) * float64(time.Second))
}

// Run signs, sends and watches, and returns the figures of the window after the
// warm-up, without those of processors. Errors: of the watched node's answers.
func (l Load) Run(ctx context.Context) (measure.Run, error) {
	height, err := l.Chain.Height(ctx)
	if err != nil {
		return measure.Run{}, err
	}
	n := int(float64(l.Rate)*(Warm+l.For).Seconds()) / l.Batch * l.Batch
	j := &job{Load: l, at: make(map[ID]int, n), done: make([]atomic.Int64, n), reasons: map[string]int{}}
	if j.list, err = l.Purse.Sign(l.ID, height, n); err != nil {
		return measure.Run{}, err
	}
	for i, t := range j.list {
		j.at[l.Chain.Key(t)] = i
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan error, 1)
	j.start = time.Now()
	go func() { watched <- j.watch(ctx, height) }()
	sampling, leave := context.WithCancel(ctx)
	defer leave()
	samples := j.sampling(sampling)
	sent, aborted := j.send(ctx)
	if aborted != "" {
		leave()
	}
	<-samples
	if aborted == "" {
		j.drain(ctx, sent)
	}
	stop()
	if err := <-watched; err != nil {
		return measure.Run{}, err
	}
	return j.figures(sent, aborted), nil
}

// sampling calls Sample at both ends of the window.
func (j *job) sampling(ctx context.Context) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, d := range []time.Duration{Warm, Warm + j.For} {
			if !until(ctx, j.start.Add(d)) {
				return
			}
			if j.Sample != nil {
				j.Sample()
			}
		}
	}()
	return ended
}

// send submits everything when it is due. It returns how many transfers were
// sent, and why it ended early, if it did.
func (j *job) send(ctx context.Context) (sent int, aborted string) {
	queues := make([]chan int, workers)
	var wg sync.WaitGroup
	for w := range queues {
		queues[w] = make(chan int, len(j.list)/j.Batch/workers+1) // never full: an open loop
		wg.Go(func() {
			for i := range queues[w] {
				j.submit(ctx, j.Nodes[w%len(j.Nodes)], i)
			}
		})
	}
	groups := max(1, j.Purse.Len()/j.Batch)
	for i := 0; i < len(j.list) && aborted == ""; i += j.Batch {
		if !until(ctx, j.start.Add(j.due(i))) {
			aborted = "stopped"
			break
		}
		queues[i/j.Batch%groups%workers] <- i
		sent = i + j.Batch
		aborted = j.hopeless(sent)
	}
	for _, q := range queues {
		close(q)
	}
	if aborted != "" {
		for _, q := range queues {
			for range q { // what waits is not sent any more
			}
		}
	}
	wg.Wait()
	return sent, aborted
}

// hopeless says why the load has failed already, if it has.
func (j *job) hopeless(sent int) string {
	switch {
	case float64(j.refused.Load()) > maxRefused*float64(sent)+20:
		return "refusals"
	case int64(sent)-j.seen.Load()-j.refused.Load() > int64(maxBehind*j.Rate)+100:
		return "more than 4 s behind"
	}
	return ""
}

func (j *job) submit(ctx context.Context, node, i int) {
	refused, err := j.Chain.Submit(ctx, node, j.list[i:i+j.Batch])
	if err != nil {
		if ctx.Err() != nil {
			return
		}
		refused = map[string]int{err.Error(): j.Batch}
	}
	if refused == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for why, n := range refused {
		j.reasons[why] += n
		j.refused.Add(int64(n))
	}
}

// watch polls the height of node 0 and reads each new block beside the polling,
// so that a large one delays no stamp.
func (j *job) watch(ctx context.Context, height uint64) error {
	type seen struct {
		height uint64
		at     int64
	}
	news := make(chan seen, 1<<16) // heights of a whole run
	failed := make(chan error, 1)
	go func() {
		for s := range news {
			ids, err := j.Chain.Block(ctx, s.height)
			if err != nil {
				if ctx.Err() != nil {
					err = nil
				}
				failed <- err
				return
			}
			for _, id := range ids {
				if i, ok := j.at[id]; ok && j.done[i].CompareAndSwap(0, s.at) {
					j.seen.Add(1)
				}
			}
		}
		failed <- nil
	}()
	for until(ctx, time.Now().Add(poll)) {
		h, err := j.Chain.Height(ctx)
		if err != nil {
			continue // a busy node answers later
		}
		at := max(1, time.Since(j.start).Microseconds())
		for ; height < h; height++ {
			j.blocks = append(j.blocks, at)
			news <- seen{height + 1, at}
		}
	}
	close(news)
	return <-failed
}

// drain waits for the rest while it still comes.
func (j *job) drain(ctx context.Context, sent int) {
	last, moved, end := j.seen.Load(), time.Now(), time.Now().Add(drainMost)
	for j.seen.Load()+j.refused.Load() < int64(sent) && time.Now().Before(end) && time.Since(moved) < drainQuiet {
		if !until(ctx, time.Now().Add(20*time.Millisecond)) {
			return
		}
		if now := j.seen.Load(); now != last {
			last, moved = now, time.Now()
		}
	}
}

// figures computes the window's numbers. What was refused has no latency.
func (j *job) figures(sent int, aborted string) measure.Run {
	from, to := Warm.Microseconds(), (Warm + j.For).Microseconds()
	r := measure.Run{What: "load", Rate: j.Rate, Batch: j.Batch, Window: j.For.Seconds(), Sent: sent, Refused: int(j.refused.Load()),
		Reasons: j.reasons, Aborted: aborted}
	r.Missing = sent - r.Refused - int(j.seen.Load())
	var ms []float64
	for i := range j.list[:sent] {
		due, done := j.due(i).Microseconds(), j.done[i].Load()
		if done >= from && done < to {
			r.Executed++
		}
		switch {
		case due < from:
		case done == 0:
			ms = append(ms, math.Inf(1))
		default:
			ms = append(ms, float64(done-due)/1_000)
		}
	}
	if r.Refused > 0 { // of those that waited some were refused: take them off the tail
		ms = trim(ms, r.Refused)
	}
	r.Latencies(ms)
	for _, at := range j.blocks {
		if at >= from && at < to {
			r.Blocks++
		}
	}
	return r
}

// trim drops up to n infinite values.
func trim(ms []float64, n int) []float64 {
	out := ms[:0]
	for _, v := range ms {
		if math.IsInf(v, 1) && n > 0 {
			n--
			continue
		}
		out = append(out, v)
	}
	return out
}

// until waits; false if ctx ended first.
func until(ctx context.Context, at time.Time) bool {
	d := time.Until(at)
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
