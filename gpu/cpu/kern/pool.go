// SPDX-License-Identifier: Apache-2.0

package kern

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Pool spreads jobs over threads and owns the memory that kernels pack
// operands into, so that a run allocates little after the first. One goroutine
// may use a Pool at a time. Its helpers wait for the next run for at most patience
// and then end by themselves, so there is nothing to close.
type Pool struct {
	workers []Worker
	helpers []helper // one for each worker but the first
	run     *run     // written before a helper is set to busy
	spin    bool     // threads have cores of their own
}

// helper is the state of one goroutine beside the caller's.
type helper struct {
	state atomic.Int32
	_     [60]byte // helpers that poll do not share a cache line
}

// States of a helper. idle → busy and waiting → busy are the caller's, busy →
// waiting and waiting → idle the helper's.
const (
	idle    = iota // no goroutine
	waiting        // polls for work
	busy           // has the pool's run
)

// patience is how long a helper polls for the next run before it ends: to wake a
// thread that sleeps takes as long as a small product.
const patience = 200 * time.Microsecond

// await polls until ok, for patience at most, and returns ok.
func await(ok func() bool) bool {
	for start := time.Now(); ; {
		for range 1 << 10 {
			if ok() {
				return true
			}
		}
		if time.Since(start) > patience {
			return ok()
		}
	}
}

// run is one call of Run.
type run struct {
	n       int
	job     func(w *Worker, i int)
	next    atomic.Int64 // jobs taken
	working atomic.Int32 // helpers not finished
	done    chan struct{}
}

func (r *run) work(w *Worker) {
	for {
		i := int(r.next.Add(1)) - 1
		if i >= r.n {
			return
		}
		r.job(w, i)
	}
}

// Worker is the packing memory of one thread. A job that gets one may pass it
// on to kernels that run on this thread alone.
type Worker struct {
	a, b, f []float32
	row     [kBlock]float32 // terms of one row of a tile
}

// NewPool returns a pool of n threads, at least one.
func NewPool(n int) *Pool {
	n = max(n, 1)
	return &Pool{workers: make([]Worker, n), helpers: make([]helper, n-1), spin: n <= runtime.GOMAXPROCS(0)}
}

// Threads returns the number of threads.
func (p *Pool) Threads() int { return len(p.workers) }

// Run calls job(w, i) for every i < n, in any order, on all threads, and
// returns when all are done. Cost beside the jobs: about 1 µs for each thread that
// is still waiting from the run before, several 10 µs for one that must be started.
func (p *Pool) Run(n int, job func(w *Worker, i int)) {
	t := min(n, len(p.workers))
	if t <= 1 {
		for i := range n {
			job(&p.workers[0], i)
		}
		return
	}
	r := &run{n: n, job: job, done: make(chan struct{}, 1)}
	r.working.Store(int32(t - 1))
	p.run = r
	for i := range p.helpers[:t-1] {
		if h := &p.helpers[i]; !h.state.CompareAndSwap(waiting, busy) {
			h.state.Store(busy)
			go p.help(i)
		}
	}
	r.work(&p.workers[0])
	if await(func() bool { return r.working.Load() == 0 }) {
		return
	}
	<-r.done
}

// help does the work of helper i until none came for long enough.
func (p *Pool) help(i int) {
	h := &p.helpers[i]
	for {
		r := p.run
		r.work(&p.workers[i+1])
		h.state.Store(waiting)
		if r.working.Add(-1) == 0 {
			r.done <- struct{}{}
		}
		called := func() bool { return h.state.Load() == busy }
		if (!p.spin || !await(called)) && h.state.CompareAndSwap(waiting, idle) {
			return
		}
	}
}

// runner is a Pool, or one Worker that does every job itself.
type runner interface {
	Run(n int, job func(w *Worker, i int))
	Threads() int
	own() *Worker
}

// Run calls the jobs one after the other.
func (w *Worker) Run(n int, job func(w *Worker, i int)) {
	for i := range n {
		job(w, i)
	}
}

// Threads returns 1.
func (w *Worker) Threads() int { return 1 }

func (w *Worker) own() *Worker { return w }
func (p *Pool) own() *Worker   { return &p.workers[0] }

// Floats returns n floats of scratch memory with any contents, valid until the
// worker's next call of Floats.
func (w *Worker) Floats(n int) []float32 {
	w.f = grow(w.f, n)
	return w.f
}

// grow returns s with at least n elements; old contents may be lost.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
