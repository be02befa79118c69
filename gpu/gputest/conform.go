// SPDX-License-Identifier: Apache-2.0

package gputest

import (
	"bytes"
	"fmt"
	"math/bits"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
)

// T is what Conform needs of a *testing.T.
type T interface {
	Helper()
	Errorf(format string, args ...any)
}

// Options of Conform. The zero value is the default.
type Options struct {
	// Seed of all cases.
	Seed uint64
	// Cases of each operation, 24 if 0.
	Cases int
	// Work is about the input scalars that one case reads, 2²⁰ if 0.
	Work uint64
	// Ops to run, all if nil. A device may leave out operations: that is
	// gpu.ErrUnsupported and fails, so name here what a partial device has.
	Ops []fx.Op
}

// Conform reports every operation on which d differs from the definition by one
// bit, writes outside its output, changes an input, or accepts what it must
// refuse; then the row rule. d stays open. Cost with the zero Options: about five
// seconds of reference arithmetic. Spec: GPU-01, OP-02, OP-03.
func Conform(t T, d gpu.Device, o Options) {
	t.Helper()
	if o.Cases == 0 {
		o.Cases = 24
	}
	if o.Work == 0 {
		o.Work = 1 << 20
	}
	if o.Ops == nil {
		o.Ops = fx.Ops()
	}
	for _, op := range o.Ops {
		for n := range o.Cases {
			if err := Compare(d, NewCase(op, o.Seed, n, o.Work)); err != nil {
				t.Errorf("%s: NewCase(%d, %d, %d, %d): %v", op, op, o.Seed, n, o.Work, err)
				break
			}
		}
		for n, c := range Tiles(op, o.Seed) {
			if err := Compare(d, c); err != nil {
				t.Errorf("%s: Tiles(%d, %d)[%d]: %v", op, op, o.Seed, n, err)
			}
		}
	}
	for _, op := range o.Ops {
		for n := range (o.Cases + 3) / 4 {
			if err := RowRule(d, op, o.Seed, n, o.Work); err != nil {
				t.Errorf("row rule: case %d of seed %d: %v", n, o.Seed, err)
				break
			}
		}
	}
	for _, err := range Refusals(d) {
		t.Errorf("%v", err)
	}
}

// guard is how many elements around an output must stay as they were.
const guard = 8

// Compare runs a case on d and compares with fx.Elem: every element, or a seeded
// sample of them where that would take more than about 2¹⁸ reads. Where the output
// may share memory with an input it runs again so.
func Compare(d gpu.Device, c Case) error {
	in := make([]gpu.Buffer, len(c.In))
	for k, b := range c.In {
		whole, err := upload(d, c.Sig.In[k], b, c.Offset)
		if err != nil {
			return err
		}
		defer d.Free(whole)
		if in[k], err = d.View(whole, c.Offset, c.Sig.In[k].Len); err != nil {
			return err
		}
	}
	size := c.Sig.Out.Type.Size()
	whole, err := d.Alloc(c.Sig.Out.Type, c.Sig.Out.Len+2*guard)
	if err != nil {
		return err
	}
	defer d.Free(whole)
	got := bytes.Repeat([]byte{0xa5}, int((c.Sig.Out.Len+2*guard)*size))
	if err := d.Upload(whole, got); err != nil {
		return err
	}
	off := guard - c.Offset
	out, err := d.View(whole, off, c.Sig.Out.Len)
	if err != nil {
		return err
	}
	if err := d.Run(c.Node, in, out); err != nil {
		return fmt.Errorf("%s %d: %w", c.Node.Op, c.Node.Attrs, err)
	}
	if err := d.Download(got, whole); err != nil {
		return fmt.Errorf("%s %d: %w", c.Node.Op, c.Node.Attrs, err)
	}
	first, end := off*size, (off+c.Sig.Out.Len)*size
	for i, b := range got {
		if u := uint64(i); (u < first || u >= end) && b != 0xa5 {
			return fmt.Errorf("%s %d: byte %d from the start of the output was written", c.Node.Op, c.Node.Attrs, int64(u)-int64(first))
		}
	}
	got = got[first:end]
	if err := c.same(got); err != nil {
		return err
	}
	for k, b := range c.In {
		if err := unchanged(d, in[k], b); err != nil {
			return fmt.Errorf("%s %d: input %d: %w", c.Node.Op, c.Node.Attrs, k, err)
		}
	}
	return c.inPlace(d, in, got)
}

// upload puts data at an offset into a fresh allocation.
func upload(d gpu.Device, a fx.Arg, data []byte, offset uint64) (gpu.Buffer, error) {
	whole, err := d.Alloc(a.Type, a.Len+offset)
	if err != nil {
		return nil, err
	}
	return whole, d.Upload(whole, append(make([]byte, offset*a.Type.Size()), data...))
}

func unchanged(d gpu.Device, b gpu.Buffer, want []byte) error {
	got := make([]byte, len(want))
	if err := d.Download(got, b); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("was changed")
	}
	return nil
}

// same compares an output with the definition.
func (c Case) same(got []byte) error {
	form, err := fx.NewForm(c.Node.Op, c.Node.Attrs)
	if err != nil {
		return err
	}
	read := func(k int, i uint64) uint32 { return gpu.Load(c.Sig.In[k].Type, c.In[k], i) }
	n := c.Sig.Out.Len
	check := func(i uint64) error {
		a, b := gpu.Load(c.Sig.Out.Type, got, i), form.Elem(i, read)
		if a != b {
			return fmt.Errorf("%s %d: element %d of %d is %08x, the definition gives %08x (%d bits differ)",
				c.Node.Op, c.Node.Attrs, i, n, a, b, bits.OnesCount32(a^b))
		}
		return nil
	}
	cost := c.Sig.Reads
	if c.Node.Op == fx.OpSortPairs || c.Node.Op == fx.OpTopK {
		cost *= 8
	}
	if c.all || n*cost <= 1<<18 {
		for i := range n {
			if err := check(i); err != nil {
				return err
			}
		}
		return nil
	}
	r := newSource(n, c.Node.Op, 1)
	for range max(1<<17/cost, 24) {
		if err := check(r.below(n)); err != nil {
			return err
		}
	}
	return check(n - 1)
}

// inPlace runs again with the output in the memory of each input that allows it.
func (c Case) inPlace(d gpu.Device, in []gpu.Buffer, want []byte) error {
	for k := range c.In {
		if c.Sig.Same>>k&1 == 0 {
			continue
		}
		out := in[k]
		if c.Sig.In[k].Type != c.Sig.Out.Type {
			continue // another type at the same place: no view gives it
		}
		if err := d.Run(c.Node, in, out); err != nil {
			return fmt.Errorf("%s %d into input %d: %w", c.Node.Op, c.Node.Attrs, k, err)
		}
		if unchanged(d, out, want) != nil {
			return fmt.Errorf("%s %d into input %d gives other bits than into fresh memory", c.Node.Op, c.Node.Attrs, k)
		}
		if err := d.Upload(out, c.In[k]); err != nil {
			return err
		}
	}
	return nil
}
