// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"math"
	"testing"
)

func TestFX07GroupsAreQuantisedByTheirGreatest(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		name  string
		in    []float32
		codes []int8
		scale uint32
	}{
		{"zeros", []float32{0, f(0x80000000)}, []int8{0, 0}, 0},
		{"below 2⁻¹⁰⁰", []float32{f(minQuant - 1)}, []int8{0}, 0},
		{"at 2⁻¹⁰⁰", []float32{f(minQuant), -f(minQuant)}, []int8{127, -127}, Bits(Div(f(minQuant), 127))},
		{"the greatest number", []float32{math.MaxFloat32, -1}, []int8{127, 0}, Bits(Div(math.MaxFloat32, 127))},
		{"an infinity", []float32{1, -inf}, []int8{0, 0}, NaNBits},
		{"a NaN", []float32{1, f(0xffc12345)}, []int8{0, 0}, NaNBits},
		{"halves go to even", []float32{127, 0.5, 1.5, -2.5}, []int8{127, 0, 2, -2}, Bits(1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			codes := make([]int8, len(c.in))
			if s := Quantise(codes, c.in); Bits(s) != c.scale {
				t.Errorf("scale %08x, want %08x", Bits(s), c.scale)
			}
			for i := range codes {
				if codes[i] != c.codes[i] {
					t.Errorf("code %d is %d, want %d", i, codes[i], c.codes[i])
				}
			}
		})
	}
}

// TestFX07RowsEqualTheOperations: the functions on slices and the operations are
// one definition.
func TestFX07RowsEqualTheOperations(t *testing.T) {
	const rows, k, g = 3, 300, 128
	x := make([]float32, rows*k)
	Stream{Seed: 3, Purpose: PurposeBench}.FillNormal(x)
	x[7], x[310] = 1e30, float32(math.NaN())
	codes, scales := make([]int8, len(x)), make([]float32, rows*3)
	QuantiseRows(codes, scales, x, k, g)
	attrs, in := []uint64{rows, k, g}, floats(x...)
	q, s := all32(t, OpQuantI8, attrs, in), all32(t, OpQuantScale, attrs, in)
	for i := range codes {
		if int32(q[i]) != int32(codes[i]) {
			t.Fatalf("code %d is %d and %d", i, codes[i], int32(q[i]))
		}
		if codes[i] == -128 {
			t.Fatalf("code %d is -128", i)
		}
	}
	for i := range scales {
		if s[i] != Bits(scales[i]) {
			t.Fatalf("scale %d is %08x and %08x", i, Bits(scales[i]), s[i])
		}
	}
	y := all32(t, OpGemmI8, []uint64{rows, rows, k, g}, q, s, q, s)
	for i := range rows {
		for j := range rows {
			want := DotQ(codes[i*k:(i+1)*k], codes[j*k:(j+1)*k], scales[i*3:i*3+3], scales[j*3:j*3+3], g)
			if y[i*rows+j] != Bits(want) {
				t.Errorf("product %d,%d is %08x and %08x", i, j, y[i*rows+j], Bits(want))
			}
		}
	}
}

func TestFX07NoCodeLeavesItsRange(t *testing.T) {
	next := words(1)
	var codes [2]int8
	for range 1 << 18 {
		a := f(uint32(next())&0x7fffffff | 0x00800000)
		if !Finite(a) {
			continue
		}
		if Quantise(codes[:], []float32{a, -a}); codes[0] < 0 || codes[1] > 0 || codes[1] == -128 || codes[0] != -codes[1] {
			t.Fatalf("±%08x has codes %d", Bits(a), codes)
		}
	}
}
