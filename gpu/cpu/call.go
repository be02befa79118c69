// SPDX-License-Identifier: Apache-2.0

package cpu

import (
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

// run dispatches by the operation's group.
func (c *call) run() {
	switch {
	case c.op < fx.OpAdd:
		c.move()
	case c.op < fx.OpRedSum:
		c.element()
	case c.op < fx.OpGemm:
		c.reduce()
	case c.op < fx.OpRope:
		c.gemm()
	case c.op < fx.OpAdamM:
		c.transformer()
	case c.op < fx.OpQuantScale:
		c.optimise()
	default:
		c.integer()
	}
}

// each computes every element by the definition, on all threads: for operations
// whose one element is long work.
func (c *call) each() {
	form, err := fx.NewForm(c.op, c.attrs)
	if err != nil {
		panic(err) // gpu.Check saw the same attributes
	}
	read := func(k int, i uint64) uint32 { return gpu.Load(c.sig.In[k].Type, c.in[k], i) }
	c.split(int(c.sig.Out.Len), 256, func(_ *kern.Worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			gpu.Store(c.sig.Out.Type, c.out, uint64(i), form.Elem(uint64(i), read))
		}
	})
}
