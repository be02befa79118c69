// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"errors"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

func TestGPU01CallsThatDoNotFitAreRefused(t *testing.T) {
	d, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	call := func(op fx.Op, out uint64, attrs ...uint64) gpu.Call {
		n := program.Node{Op: op, Attrs: attrs, Shape: []uint64{out}}
		s, err := fx.Check(op, attrs)
		if err != nil {
			t.Fatal(err)
		}
		c := gpu.Call{Node: n, Sig: s}
		for _, a := range append(s.In, s.Out) {
			b, err := d.Alloc(a.Type, a.Len)
			if err != nil {
				t.Fatal(err)
			}
			c.In = append(c.In, b)
		}
		c.In, c.Out = c.In[:len(s.In)], c.In[len(s.In)]
		return c
	}
	with := func(c gpu.Call, k int, l gpu.Layout) gpu.Call {
		c.Layouts[k] = l
		return c
	}
	gemm, neg := call(fx.OpGemm, 12, 1, 3, 4, 5, 1, fx.NoLimit, 0), call(fx.OpNeg, 64, 64)
	for _, c := range []struct {
		name  string
		parts uint64
		call  gpu.Call
		ok    bool
	}{
		{"a product", 0, gemm, true},
		{"an operand along its rows", 0, with(gemm, 0, gpu.Layout{{Size: 3, Stride: 1}, {Size: 5, Stride: 3}}), true},
		{"an operand that reaches beyond its buffer", 0, with(gemm, 0, gpu.Layout{{Size: 3, Stride: 6}, {Size: 5, Stride: 1}}), false},
		{"an operand of another shape", 0, with(gemm, 1, gpu.Layout{{Size: 5, Stride: 4}, {Size: 4, Stride: 1}}), false},
		{"an operand without neighbours", 0, with(gemm, 0, gpu.Layout{{Size: 3, Stride: 2}, {Size: 5, Stride: 2}}), false},
		{"a result along its rows", 0, with(gemm, 2, gpu.Layout{{Size: 3, Stride: 1}, {Size: 4, Stride: 3}}), false},
		{"sizes whose product wraps", 0, with(gemm, 0, gpu.Layout{{Size: 1 << 31, Stride: 0}, {Size: 1 << 31, Stride: 0}, {Size: 3, Stride: 5}, {Size: 5, Stride: 1}}), false},
		{"one dimension", 0, with(gemm, 0, gpu.Layout{{Size: 15, Stride: 1}}), false},
		{"layouts of another operation", 0, with(neg, 0, gpu.Layout{{Size: 8, Stride: 8}, {Size: 8, Stride: 1}}), false},
		{"a part for each element", 64, neg, true},
		{"parts that do not divide", 24, neg, false},
		{"a product in parts", 3, gemm, false},
	} {
		if err := d.RunCalls(c.parts, []gpu.Call{c.call}); (err == nil) != c.ok || err != nil && !errors.Is(err, gpu.ErrArgs) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
