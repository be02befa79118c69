// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"fmt"
	"unsafe"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu/kern"
	"github.com/openledger/openledger/internal/fx"
)

// call is one operation with checked arguments.
type call struct {
	*Device
	op    fx.Op
	attrs []uint64
	a     []int // the attributes again; dimensions are below 2³¹
	sig   fx.Sig
	in    [][]byte
	out   []byte
	lay   [3]gpu.Layout // of the operands and the result of a product; nil: contiguous
}

// of returns the elements of memory as T, which is as wide as the buffer's type.
func of[T any](b []byte) []T {
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(b)/int(unsafe.Sizeof(t)))
}

func (c *call) f(k int) []float32 { return of[float32](c.in[k]) }
func (c *call) i(k int) []int32   { return of[int32](c.in[k]) }
func (c *call) y() []float32      { return of[float32](c.out) }
func (c *call) yi() []int32       { return of[int32](c.out) }

// bits returns attribute i, the bits of a binary32.
func (c *call) bits(i int) float32 { return fx.FromBits(uint32(c.attrs[i])) }

// split calls job for ranges of 0 … n−1 of about grain each, on all threads.
func (d *Device) split(n, grain int, job func(w *kern.Worker, lo, hi int)) {
	grain = max(grain, 1)
	parts := min((n+grain-1)/grain, 8*d.pool.Threads())
	d.pool.Run(parts, func(w *kern.Worker, i int) {
		job(w, int(uint64(i)*uint64(n)/uint64(parts)), int(uint64(i+1)*uint64(n)/uint64(parts)))
	})
}

// rows is split over rows of cols elements each.
func (d *Device) rows(rows, cols int, job func(w *kern.Worker, r int)) {
	d.split(rows, grain/max(cols, 1), func(w *kern.Worker, lo, hi int) {
		for r := lo; r < hi; r++ {
			job(w, r)
		}
	})
}

// grain is how many elements are worth a thread's attention.
const grain = 1 << 14

// job is the work of an operation on n units in any order, of about cost elements each.
type job struct {
	n, cost int
	do      func(w *kern.Worker, lo, hi int)
}

// each is the work of an operation on n units one by one.
func each(n, cost int, one func(i int)) job {
	return job{n, cost, func(_ *kern.Worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			one(i)
		}
	}}
}

// job returns the work of an operation that can be cut (gpu.Caller), else none.
func (c *call) job() job {
	switch {
	case c.op >= fx.OpAdd && c.op < fx.OpRedSum:
		return c.element()
	case c.op == fx.OpRedSum:
		return c.red(c.cpu.RedSum)
	case c.op == fx.OpRedSumSq:
		return c.red(c.cpu.RedSumSq)
	case c.op == fx.OpRedMax:
		return c.red(c.cpu.RedMax)
	case c.op == fx.OpRope || c.op == fx.OpRopeBwd:
		return c.rope(c.op == fx.OpRopeBwd)
	case c.op == fx.OpXentBwd:
		return c.xentBwd()
	case c.op >= fx.OpAdamM && c.op <= fx.OpAdamP:
		return c.optimise()
	}
	return job{}
}

// run dispatches by the operation's group.
func (c *call) run() {
	if j := c.job(); j.do != nil {
		c.split(j.n, grain/max(j.cost, 1), j.do)
		return
	}
	switch {
	case c.op < fx.OpAdd:
		c.move()
	case c.op < fx.OpGemm:
		c.reduce()
	case c.op < fx.OpRope:
		c.gemm()
	case c.op == fx.OpClipScale:
		c.y()[0] = fx.ClipScale(c.bits(0), c.f(0)[0])
	default:
		c.integer()
	}
}

// together is how many elements calls that run together write before the first goes
// on: they and what is read stay in the second-level cache.
const together = 1 << 15

// RunCalls computes the calls. Errors: gpu.ErrArgs. Spec: GPU-01, OP-02.
func (d *Device) RunCalls(parts uint64, calls []gpu.Call) error {
	for len(d.calls) < len(calls) {
		d.calls = append(d.calls, call{Device: d})
	}
	for i := range calls {
		if err := d.calls[i].take(&calls[i]); err != nil {
			return err
		}
	}
	defer func() { // they hold no memory on to the next
		for i := range calls {
			clear(d.calls[i].in)
			d.calls[i].out = nil
		}
	}()
	if parts == 0 {
		for i := range calls {
			d.calls[i].run()
		}
		return nil
	}
	jobs, size := make([]job, len(calls)), 0
	for i := range jobs {
		j := d.calls[i].job()
		if j.do == nil || j.n%int(parts) != 0 {
			return fmt.Errorf("%w: %s cannot be cut in %d parts", gpu.ErrArgs, calls[i].Node.Op, parts)
		}
		jobs[i], size = j, size+j.n/int(parts)*j.cost
	}
	per := max(together/max(size, 1), 1)
	d.split(int(parts), per, func(w *kern.Worker, lo, hi int) {
		for ; lo < hi; lo += per {
			end := min(lo+per, hi)
			for _, j := range jobs {
				of := j.n / int(parts)
				j.do(w, lo*of, end*of)
			}
		}
	})
	return nil
}

// take checks a call and finds its memory. Errors: gpu.ErrArgs, gpu.ErrLost.
func (c *call) take(g *gpu.Call) (err error) {
	c.op, c.attrs, c.sig, c.lay, c.in, c.a = g.Node.Op, g.Node.Attrs, g.Sig, g.Layouts, c.in[:0], c.a[:0]
	for k, b := range g.In {
		m, err := c.bytes(b)
		if err != nil {
			return fmt.Errorf("%s: input %d: %w", c.op, k, err)
		}
		c.in = append(c.in, m)
	}
	if c.out, err = c.bytes(g.Out); err != nil {
		return fmt.Errorf("%s: output: %w", c.op, err)
	}
	for _, v := range c.attrs {
		c.a = append(c.a, int(v))
	}
	return g.Check()
}

// elements computes elements from … to−1 by the definition.
func (c *call) elements(from, to int) {
	form, err := fx.NewForm(c.op, c.attrs)
	if err != nil {
		panic(err) // gpu.Check saw the same attributes
	}
	read := func(k int, i uint64) uint32 { return gpu.Load(c.sig.In[k].Type, c.in[k], i) }
	for i := from; i < to; i++ {
		gpu.Store(c.sig.Out.Type, c.out, uint64(i), form.Elem(uint64(i), read))
	}
}
