// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu/kern"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
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
	// memory of in and a
	ins [program.MaxIn][]byte
	as  [program.MaxAttrs]int
}

// call checks one operation and runs it.
func (d *Device) call(n program.Node, l [3]gpu.Layout, in []gpu.Buffer, out gpu.Buffer) error {
	c := &d.now
	defer func() { *c = call{} }() // it holds no memory on to the next
	c.Device, c.op, c.attrs, c.lay, c.in, c.a = d, n.Op, n.Attrs, l, c.ins[:0], c.as[:0]
	var err error
	if c.sig, err = d.check(n, in, out); err != nil {
		return err
	}
	if l[0] != nil || l[1] != nil || l[2] != nil {
		if err := gpu.CheckTurned(n, l, in, out); err != nil {
			return err
		}
	}
	for k, b := range in {
		m, err := d.bytes(b)
		if err != nil {
			return fmt.Errorf("%s: input %d: %w", n.Op, k, err)
		}
		c.in = append(c.in, m)
	}
	if c.out, err = d.bytes(out); err != nil {
		return fmt.Errorf("%s: output: %w", n.Op, err)
	}
	for _, v := range n.Attrs {
		c.a = append(c.a, int(v))
	}
	c.run()
	return nil
}

// known is a node that was checked, and what it takes and gives.
type known struct {
	n   program.Node
	sig fx.Sig
}

// mostKnown is how many nodes a device remembers: more than the graphs of a model
// have, for an answer runs the same few hundred for each token.
const mostKnown = 1 << 12

// check is gpu.Check, where attributes and shape are checked once.
func (d *Device) check(n program.Node, in []gpu.Buffer, out gpu.Buffer) (fx.Sig, error) {
	h := uint64(n.Op)
	for _, list := range [2][]uint64{n.Attrs, n.Shape} {
		for _, v := range list {
			h = (h ^ v) * 0x9e3779b97f4a7c15
			h ^= h >> 32
		}
	}
	k := d.memo[h]
	if k == nil || k.n.Op != n.Op || len(k.n.In) != len(n.In) || !slices.Equal(k.n.Attrs, n.Attrs) || !slices.Equal(k.n.Shape, n.Shape) {
		s, err := gpu.Check(n, in, out)
		if err == nil {
			if len(d.memo) >= mostKnown {
				clear(d.memo)
			}
			n.Attrs, n.Shape, n.In = slices.Clone(n.Attrs), slices.Clone(n.Shape), slices.Clone(n.In)
			d.memo[h] = &known{n, s}
		}
		return s, err
	}
	return k.sig, gpu.CheckBuffers(n.Op, k.sig, in, out)
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
