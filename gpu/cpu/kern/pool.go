// SPDX-License-Identifier: Apache-2.0

package kern

import (
	"sync"
	"sync/atomic"
)

// Pool spreads jobs over threads and owns the memory that kernels pack
// operands into, so that a run allocates nothing after the first. One
// goroutine may use a Pool at a time. It holds no goroutine between runs.
type Pool struct {
	workers []Worker
}

// Worker is the packing memory of one thread. A job that gets one may pass it
// on to kernels that run on this thread alone.
type Worker struct {
	a, b, f []float32
}

// NewPool returns a pool of n threads, at least one.
func NewPool(n int) *Pool { return &Pool{workers: make([]Worker, max(n, 1))} }

// Threads returns the number of threads.
func (p *Pool) Threads() int { return len(p.workers) }

// Run calls job(w, i) for every i < n, in any order, on all threads, and
// returns when all are done. Cost beside the jobs: about 1 µs per thread.
func (p *Pool) Run(n int, job func(w *Worker, i int)) {
	t := min(n, len(p.workers))
	if t <= 1 {
		for i := range n {
			job(&p.workers[0], i)
		}
		return
	}
	var next atomic.Int64
	loop := func(w *Worker) {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			job(w, i)
		}
	}
	var wg sync.WaitGroup
	for i := 1; i < t; i++ {
		wg.Go(func() { loop(&p.workers[i]) })
	}
	loop(&p.workers[0])
	wg.Wait()
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
