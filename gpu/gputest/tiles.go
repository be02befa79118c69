// SPDX-License-Identifier: Apache-2.0

package gputest

import (
	"bytes"

	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// tiles are products that a device does by tiles, around the edges of those: more
// rows and columns than one has, chains that end within a step, groups that end
// within, at and after one. Whether random shapes hit these is luck.
var tiles = []struct {
	op    fx.Op
	attrs []uint64
}{
	{fx.OpGemm, []uint64{1, 130, 129, 9, 1, fx.NoLimit, 0}},
	{fx.OpGemm, []uint64{1, 10, 260, 72, 1, fx.NoLimit, 0}},
	{fx.OpGemm, []uint64{2, 7, 33, 266, 2, fx.NoLimit, 0}},
	{fx.OpGemm, []uint64{1, 1, 40, 132, 1, fx.NoLimit, 0}},
	{fx.OpGemm, []uint64{4, 3, 70, 65, 2, fx.NBelow, 2}},
	{fx.OpGemm, []uint64{6, 7, 16, 400, 1, fx.KBelow, 1}},
	{fx.OpGemm, []uint64{2, 129, 66, 17, 2, fx.NBelow, 2}},
	{fx.OpGemm, []uint64{2, 130, 9, 76, 2, fx.KBelow, 2}},
	{fx.OpGemm, []uint64{2, 130, 9, 76, 2, fx.KFrom, 2}},
	{fx.OpGemmI8, []uint64{129, 34, 96, 32}},
	{fx.OpGemmI8, []uint64{12, 131, 288, 96}},
	{fx.OpGemmI8, []uint64{7, 34, 1072, 96}},
	{fx.OpGemmI8, []uint64{1, 33, 1040, 2048}},
	{fx.OpGemmI8, []uint64{130, 5, 320, 320}},
	{fx.OpGemmI8, []uint64{9, 33, 416, 256}},
	{fx.OpGemmI8, []uint64{33, 65, 64, 4096}},
	{fx.OpGemmI8, []uint64{34, 33, 100, 20}},
}

// Tiles are cases of those products, aligned and not, and of the greatest sums that
// codes have; every element is compared.
func Tiles(op fx.Op, seed uint64) []Case {
	var out []Case
	for n, t := range tiles {
		for i, v := range variants {
			if t.op != op {
				continue
			}
			c := newSource(seed, op, len(variants)*n+i).of(op, t.attrs, v.offset, v.style)
			c.all = true
			for k, a := range c.Sig.In {
				if a.Type == fx.I8 && i == 3 {
					copy(c.In[k], bytes.Repeat([]byte{0x80}, len(c.In[k])))
				}
			}
			out = append(out, c)
		}
	}
	return out
}

// variants of each product. Only one is hard: a chain of hundreds of those is NaN, and
// NaN hides which terms it had.
var variants = []struct{ offset, style uint64 }{{0, styleNormal}, {4, styleTies}, {1, styleTiny}, {0, styleHard}}

// of draws what goes into an operation.
func (r *source) of(op fx.Op, attrs []uint64, offset, style uint64) Case {
	s, err := fx.Check(op, attrs)
	if err != nil {
		panic("gputest draws attributes that do not exist: " + err.Error())
	}
	c := Case{Sig: s, Offset: offset}
	c.Node = program.Node{Op: op, Attrs: attrs, Shape: []uint64{s.Out.Len}, In: make([]uint64, len(s.In))}
	for k, a := range s.In {
		c.In = append(c.In, r.fill(a, style, indexLimit(op, attrs, k)))
	}
	if op == fx.OpMergePairs {
		c.In[2] = sortedRuns(attrs, c.In)
	}
	return c
}
