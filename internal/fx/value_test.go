// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"bytes"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestFX01OperationsRoundExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := coarse().Draw(t, "x"), coarse().Draw(t, "y")
		one := float32(1)
		if Finite(x) && Finite(y) {
			if got, want := Add(x, y), exactFMA(x, one, y); Bits(got) != Bits(want) {
				t.Fatalf("add = %08x, want %08x", Bits(got), Bits(want))
			}
			if got, want := Mul(x, y), exactFMA(x, y, f(0x80000000)); Bits(got) != Bits(want) && x != 0 && y != 0 {
				t.Fatalf("mul = %08x, want %08x", Bits(got), Bits(want))
			}
			if y != 0 {
				q := new(big.Float).SetPrec(400).Quo(big.NewFloat(float64(x)), big.NewFloat(float64(y)))
				if want, _ := q.Float32(); Bits(Div(x, y)) != Bits(want) {
					t.Fatalf("div = %08x, want %08x", Bits(Div(x, y)), Bits(want))
				}
			}
			if x >= 0 {
				r := new(big.Float).SetPrec(400).Sqrt(big.NewFloat(float64(x)))
				if want, _ := r.Float32(); Bits(Sqrt(x)) != Bits(want) && x != 0 {
					t.Fatalf("sqrt = %08x, want %08x", Bits(Sqrt(x)), Bits(want))
				}
			}
		}
		for name, r := range map[string]float32{"add": Add(x, y), "sub": Sub(x, y), "mul": Mul(x, y), "div": Div(x, y),
			"sqrt": Sqrt(x), "neg": Neg(x), "abs": Abs(x), "max": Max(x, y), "min": Min(x, y), "canon": Canon(x)} {
			if r != r && math.Float32bits(r) != NaNBits {
				t.Fatalf("%s(%08x, %08x) is the NaN %08x", name, Bits(x), Bits(y), math.Float32bits(r))
			}
		}
	})
}

func TestFX01Selection(t *testing.T) {
	nan, inf, minus := f(0x7fc00001), f(0x7f800000), f(0x80000000)
	for _, c := range []struct {
		name      string
		got, want float32
	}{
		{"the greatest of equal zeros is the first", Max(minus, 0), minus},
		{"and the other way round", Max(0, minus), 0},
		{"the least of equal zeros is the first", Min(minus, 0), minus},
		{"a NaN on the left wins", Max(nan, 1), f(NaNBits)},
		{"a NaN on the right wins", Min(1, nan), f(NaNBits)},
		{"the greater number wins", Max(-1, 2), 2},
		{"the less number wins", Min(-1, 2), -1},
		{"infinity is the greatest", Max(inf, 3), inf},
		{"negating zero gives minus zero", Neg(0), minus},
		{"the absolute value of minus zero is zero", Abs(minus), 0},
		{"the root of minus zero is minus zero", Sqrt(minus), minus},
		{"the root below zero is NaN", Sqrt(-1), f(NaNBits)},
		{"one over minus zero is minus infinity", Div(1, minus), f(0xff800000)},
	} {
		t.Run(c.name, func(t *testing.T) { wantBits(t, "result", c.got, c.want) })
	}
}

func TestFX01RniTiesToEven(t *testing.T) {
	for _, c := range []struct {
		x    float32
		want int32
	}{{0, 0}, {0.5, 0}, {1.5, 2}, {2.5, 2}, {-0.5, 0}, {-1.5, -2}, {-2.5, -2}, {0.49999997, 0}, {1<<22 - 0.5, 1 << 22}, {-(1<<22 - 1.5), -(1<<22 - 2)}, {4194303.25, 4194303}} {
		if got := Rni(c.x); got != c.want {
			t.Errorf("Rni(%g) = %d, want %d", c.x, got, c.want)
		}
	}
	if got := FromInt(1<<24 + 1); got != 1<<24 {
		t.Errorf("FromInt(2²⁴+1) = %g, want the even neighbour", got)
	}
	if got := FromInt(1<<24 + 3); got != 1<<24+4 {
		t.Errorf("FromInt(2²⁴+3) = %g, want the even neighbour", got)
	}
}

func TestBytesOfNumbers(t *testing.T) {
	got := AppendBits([]byte{9}, []float32{1, f(0xffc00003)})
	if want := []byte{9, 0, 0, 0x80, 0x3f, 0, 0, 0xc0, 0x7f}; !bytes.Equal(got, want) {
		t.Errorf("AppendBits = % x, want % x", got, want)
	}
	got = AppendBits64(nil, []float64{-2.5})
	if want := []byte{0, 0, 0, 0, 0, 0, 0x04, 0xc0}; !bytes.Equal(got, want) {
		t.Errorf("AppendBits64 = % x, want % x", got, want)
	}
	x := []float32{f(0xffc00003), 1}
	CanonAll(x)
	if math.Float32bits(x[0]) != NaNBits || x[1] != 1 || AllFinite(x) || !AllFinite(x[1:]) {
		t.Errorf("CanonAll or AllFinite is wrong on %x", x)
	}
}

func TestFX02ThisMachineQualifies(t *testing.T) {
	if err := CheckMachine(); err != nil {
		t.Fatal(err)
	}
}
