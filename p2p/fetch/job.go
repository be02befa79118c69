// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/p2p/peers"
)

// stealAfter is how long a unit may be outstanding at one peer before an idle
// worker asks another peer for it too.
const stealAfter = time.Second

// job is one running fetch of BLAKE3 content: what is known of the blob, which
// pieces are outstanding, and the file. Workers share it.
type job struct {
	f    *Fetcher
	id   content.ID
	want uint64 // announced size, 0: unknown

	mu      sync.Mutex
	part    *part // nil until the size is proved
	size    uint64
	units   uint64
	done    uint64 // units on disk
	bytes   uint64 // bytes on disk
	pages   map[uint64]content.Verified
	asked   map[piece]ask
	scan    uint64        // units below are on disk or outstanding, unless returned
	back    []piece       // pieces given back by workers that failed
	changed chan struct{} // closed and replaced on every change
	err     error         // fatal: disk, size
}

// piece is a page or unit of the blob.
type piece struct {
	page  bool
	index uint64
}

// ask says how often and since when a piece is outstanding.
type ask struct {
	n  int
	at time.Time
}

func newJob(f *Fetcher, id content.ID, want uint64) *job {
	return &job{f: f, id: id, want: want, pages: make(map[uint64]content.Verified),
		asked: make(map[piece]ask), changed: make(chan struct{})}
}

// resume takes over what an earlier fetch left on disk. Its units count once
// their page has been fetched and they verified again.
func (j *job) resume() error {
	p, err := j.f.cfg.Store.openPart(j.id)
	switch {
	case errors.Is(err, ErrFull):
		return err
	case err != nil:
		return nil // nothing usable: start anew
	case j.want != 0 && j.want != p.m.size: // the size on disk was proved
		p.abandon()
		return fmt.Errorf("%d bytes, announced %d: %w", p.m.size, j.want, ErrSize)
	}
	j.adopt(p)
	return nil
}

func (j *job) adopt(p *part) {
	j.part, j.size, j.units = p, p.m.size, content.UnitCount(p.m.size)
}

// signal wakes everybody that waits for a change. The caller holds mu.
func (j *job) signal() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// state returns progress, whether the blob is complete, a fatal error, and what
// to wait on for news.
func (j *job) state() (done, total uint64, complete bool, err error, news <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes, j.size, j.part != nil && j.done == j.units, j.err, j.changed
}

// proven returns the size once the last unit has verified.
func (j *job) proven() (uint64, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size, j.part != nil
}

// prove records the size that a page and the last unit of one peer proved. The
// disk bound and the announced size are checked here, before the first byte.
func (j *job) prove(size uint64, page content.Verified, last []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.part == nil {
		if j.want != 0 && j.want != size {
			return j.fatal(fmt.Errorf("%d bytes, announced %d: %w", size, j.want, ErrSize))
		}
		p, err := j.f.cfg.Store.createPart(j.id, size)
		if err != nil {
			return j.fatal(err)
		}
		j.adopt(p)
	}
	if err := j.gotPage(page); err != nil {
		return err
	}
	return j.store(j.units-1, last)
}

// fatal ends the fetch with err. The caller holds mu.
func (j *job) fatal(err error) error {
	if j.err == nil {
		j.err = err
		j.signal()
	}
	return err
}

// gotPage keeps a verified page and counts the units of an earlier fetch that
// verify against it. The caller holds mu.
func (j *job) gotPage(v content.Verified) error {
	index := v.First() / content.PageUnits
	if _, had := j.pages[index]; had {
		return nil
	}
	if err := j.part.writePage(v); err != nil {
		return j.fatal(fmt.Errorf("blob store: %w", err))
	}
	j.pages[index] = v
	delete(j.asked, piece{true, index})
	for i := v.First(); i < v.First()+uint64(v.Len()); i++ {
		if !j.part.m.has(i) {
			continue
		}
		b, err := j.part.read(i)
		if err != nil || v.VerifyUnit(i, b) != nil {
			j.part.m.clear(i) // the disk lost it
			continue
		}
		j.done++
		j.bytes += uint64(len(b))
	}
	j.signal()
	return nil
}

// store writes a verified unit unless it is there. The caller holds mu.
func (j *job) store(i uint64, unit []byte) error {
	delete(j.asked, piece{false, i})
	if j.part.m.has(i) {
		return nil
	}
	if err := j.part.write(i, unit); err != nil {
		return j.fatal(err)
	}
	j.part.m.set(i)
	j.part.dirty += uint64(len(unit))
	j.done++
	j.bytes += uint64(len(unit))
	j.f.fetched.Add(1)
	if j.part.due(time.Now()) {
		if err := j.part.flush(); err != nil {
			return j.fatal(err)
		}
	}
	j.signal()
	return nil
}

// take returns the next piece to ask for. idle says that the worker has nothing
// outstanding, so it may double a piece that another peer owes for too long.
// ok is false when there is nothing to do now.
func (j *job) take(idle bool, now time.Time) (p piece, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.back) > 0 {
		p, j.back = j.back[len(j.back)-1], j.back[:len(j.back)-1]
		if j.missing(p) && j.asked[p].n == 0 {
			return j.ask(p, now), true
		}
	}
	for ; j.scan < j.units; j.scan++ {
		page := piece{true, j.scan / content.PageUnits}
		if _, have := j.pages[page.index]; !have {
			if j.asked[page].n == 0 {
				return j.ask(page, now), true
			}
			break // wait for the page; units of later pages wait too
		}
		if u := (piece{false, j.scan}); j.missing(u) && j.asked[u].n == 0 {
			j.scan++
			return j.ask(u, now), true
		}
	}
	if idle {
		for p, a := range j.asked {
			if a.n == 1 && now.Sub(a.at) >= stealAfter && j.missing(p) {
				return j.ask(p, now), true
			}
		}
	}
	return piece{}, false
}

func (j *job) missing(p piece) bool {
	if p.page {
		_, have := j.pages[p.index]
		return !have
	}
	return !j.part.m.has(p.index)
}

func (j *job) ask(p piece, now time.Time) piece {
	a := j.asked[p]
	j.asked[p] = ask{n: a.n + 1, at: now}
	return p
}

// giveBack returns what a worker that ends still owes.
func (j *job) giveBack(list []piece) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, p := range list {
		if a := j.asked[p]; a.n > 1 {
			j.asked[p] = ask{n: a.n - 1, at: a.at}
		} else if a.n == 1 {
			delete(j.asked, p)
			j.back = append(j.back, p)
		}
	}
	j.signal()
}

// deliver verifies the body of an answer for p and stores it. Errors: ErrWrong
// if the peer lied, else fatal ones.
func (j *job) deliver(p piece, body []byte) error {
	if p.page {
		v, err := j.verifyPage(j.size, p.index, body)
		if err != nil {
			return err
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.gotPage(v)
	}
	j.mu.Lock()
	v := j.pages[p.index/content.PageUnits]
	j.mu.Unlock()
	if err := v.VerifyUnit(p.index, body); err != nil {
		return fmt.Errorf("%w: %w", ErrWrong, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store(p.index, body)
}

// verifyPage decodes and checks page i of a blob of size bytes. Errors: ErrWrong.
func (j *job) verifyPage(size, i uint64, body []byte) (content.Verified, error) {
	page, err := decodePage(body)
	if err == nil && page.Index != i {
		err = fmt.Errorf("page %d for page %d: %w", page.Index, i, ErrMessage)
	}
	var v content.Verified
	if err == nil {
		v, err = content.VerifyPage(j.id, size, page)
	}
	if err != nil {
		return v, fmt.Errorf("%w: %w", ErrWrong, err)
	}
	return v, nil
}

// end finishes the file of a complete job or keeps the progress of another one.
func (j *job) end(complete bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.part == nil {
		return nil
	}
	if complete {
		if err := j.part.finish(); err != nil {
			j.part.abandon()
			return err
		}
		return nil
	}
	err := j.part.flush()
	j.part.abandon()
	return err
}

// run fetches one blob: up to four workers at once, one peer each, next peer
// when one fails.
func (f *Fetcher) run(ctx context.Context, id content.ID, size uint64, providers []peers.ID, progress func(done, total uint64)) error {
	queue := f.candidates(providers)
	if id.Code() == content.SHA256 {
		return f.runDocument(ctx, id, queue)
	}
	j := newJob(f, id, size)
	if err := j.resume(); err != nil {
		return err
	}
	wctx, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	ended := make(chan error)
	active, failures := 0, []error(nil)
	var result error
	complete := false
	for {
		for active < maxActive && len(queue) > 0 {
			peer := queue[0]
			queue = queue[1:]
			active++
			workers.Go(func() {
				err := f.work(wctx, j, peer)
				select {
				case ended <- err:
				case <-wctx.Done():
				}
			})
		}
		done, total, whole, fatal, news := j.state()
		if progress != nil && total > 0 {
			progress(done, total)
		}
		if complete, result = whole, fatal; whole || fatal != nil {
			break
		}
		if active == 0 {
			result = fmt.Errorf("%w: %w", ErrNoProvider, errors.Join(failures...))
			break
		}
		select {
		case err := <-ended:
			active--
			if err != nil && len(failures) < maxTried {
				failures = append(failures, err)
			}
		case <-news:
		case <-ctx.Done():
			result = ctx.Err()
		}
		if result != nil {
			break
		}
	}
	stop()
	workers.Wait()
	return errors.Join(result, j.end(complete && result == nil))
}
