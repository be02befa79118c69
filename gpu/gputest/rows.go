// SPDX-License-Identifier: Apache-2.0

package gputest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// rowAttr is the place of the attribute that counts independent rows, the
// outermost dimension of the output; -1 if op has none.
func rowAttr(op fx.Op) int {
	switch op {
	case fx.OpView, fx.OpConcat, fx.OpGather, fx.OpPick, fx.OpGemm, fx.OpRedSum, fx.OpRedSumSq, fx.OpRedMax, fx.OpSortPairs, fx.OpMergePairs:
		return 1
	case fx.OpArgmax, fx.OpRope, fx.OpRopeBwd, fx.OpXentBwd, fx.OpTopK,
		fx.OpQuantScale, fx.OpQuantI8, fx.OpDequantI8, fx.OpGemmI8, fx.OpDotI8, fx.OpDist2I8, fx.OpDist2F32,
		fx.OpAdd, fx.OpSub, fx.OpMul, fx.OpDiv, fx.OpFMA, fx.OpSelect,
		fx.OpNeg, fx.OpRelu, fx.OpReluBwd, fx.OpExp, fx.OpLog, fx.OpTanh, fx.OpTanhBwd, fx.OpSigmoid, fx.OpSilu, fx.OpSiluBwd,
		fx.OpSqrt, fx.OpRsqrt, fx.OpSwiglu, fx.OpSwigluBwd, fx.OpScale, fx.OpAdamM, fx.OpAdamV, fx.OpAdamP:
		return 0
	}
	return -1
}

// RowRule runs case n of an operation once whole and once in random pieces of its
// rows, in random order, and compares all bytes. It does nothing for operations
// without independent rows. Spec: OP-03.
func RowRule(d gpu.Device, op fx.Op, seed uint64, n int, work uint64) error {
	at := rowAttr(op)
	if at < 0 {
		return nil
	}
	c := NewCase(op, seed, n, work)
	a := c.Node.Attrs
	if (op == fx.OpGemm || op == fx.OpRedSum || op == fx.OpRedSumSq || op == fx.OpRedMax) && a[0] != 1 {
		return nil // several batches: rows are not outermost
	}
	one := slices.Clone(a)
	one[at] = 1
	row, err := fx.Check(op, one)
	if err != nil {
		return err
	}
	in := make([]gpu.Buffer, len(c.In))
	for k, b := range c.In {
		if in[k], err = upload(d, c.Sig.In[k], b, 0); err != nil {
			return err
		}
		defer d.Free(in[k])
	}
	var out [2]gpu.Buffer
	var got [2][]byte
	for i := range out {
		if out[i], err = d.Alloc(c.Sig.Out.Type, c.Sig.Out.Len); err != nil {
			return err
		}
		defer d.Free(out[i])
		got[i] = make([]byte, c.Sig.Out.Len*c.Sig.Out.Type.Size())
	}
	if err := d.Run(c.Node, in, out[0]); err != nil {
		return err
	}
	for _, p := range pieces(newSource(seed, op, n+1<<15), a[at]) {
		if err := runRows(d, c, at, row, in, out[1], p[0], p[1]); err != nil {
			return err
		}
	}
	for i := range out {
		if err := d.Download(got[i], out[i]); err != nil {
			return err
		}
	}
	if !bytes.Equal(got[0], got[1]) {
		return fmt.Errorf("%s %d gives other bits in pieces of its rows", op, a)
	}
	return nil
}

// pieces cuts 0 … n−1 into up to four ranges [from, to) in random order.
func pieces(r *source, n uint64) [][2]uint64 {
	cuts := []uint64{0, n}
	for range 3 {
		cuts = append(cuts, r.below(n))
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var out [][2]uint64
	for i := 1; i < len(cuts); i++ {
		out = append(out, [2]uint64{cuts[i-1], cuts[i]})
	}
	if r.below(2) == 0 {
		slices.Reverse(out)
	}
	return out
}

// runRows runs rows from … to−1 of a case on views of its buffers.
func runRows(d gpu.Device, c Case, at int, row fx.Sig, in []gpu.Buffer, out gpu.Buffer, from, to uint64) error {
	n := program.Node{Op: c.Node.Op, Attrs: slices.Clone(c.Node.Attrs), In: c.Node.In}
	n.Attrs[at] = to - from
	n.Shape = []uint64{(to - from) * row.Out.Len}
	part := make([]gpu.Buffer, len(in))
	for k, b := range in {
		each := row.In[k].Len
		if c.Sig.In[k].Len == each { // the same for any number of rows
			part[k] = b
			continue
		}
		v, err := d.View(b, from*each, (to-from)*each)
		if err != nil {
			return err
		}
		part[k] = v
	}
	v, err := d.View(out, from*row.Out.Len, (to-from)*row.Out.Len)
	if err != nil {
		return err
	}
	return d.Run(n, part, v)
}
