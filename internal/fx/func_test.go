// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"math"
	"testing"
)

// ulps returns |got − want| in units of the last place of a binary32 near want.
func ulps(got float32, want float64) float64 {
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

// functions are those of FX-05 with the errors that it states.
var functions = []struct {
	name     string
	f        func(float32) float32
	exact    func(float64) float64
	bound    float64
	monotone int // +1, −1, or 0 for silu
}{
	{"exp", Exp, math.Exp, 1.281, 1},
	{"log", Log, math.Log, 0.827, 1},
	{"tanh", Tanh, math.Tanh, 1.332, 1},
	{"sigmoid", Sigmoid, exactSigmoid, 2.481, 1},
	{"silu", Silu, func(x float64) float64 { return x * exactSigmoid(x) }, 2.861, 0},
	{"rsqrt", Rsqrt, func(x float64) float64 { return 1 / math.Sqrt(x) }, 1.491, -1},
}

func exactSigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// ordered maps 0 … 2³²−1 to all binary32 in ascending order, NaN at both ends.
func ordered(i uint32) float32 {
	if i < 0x80000000 {
		return math.Float32frombits(^i)
	}
	return math.Float32frombits(i ^ 0x80000000)
}

func TestFX05FunctionsAreAccurateAndMonotone(t *testing.T) {
	for _, c := range functions {
		t.Run(c.name, func(t *testing.T) {
			worst, at, last := 0.0, float32(0), float32(0)
			first := true
			for i := uint64(0); i < 1<<32; i += 4093 {
				x := ordered(uint32(i))
				y := c.f(x)
				if y != y {
					continue
				}
				want := c.exact(float64(x))
				bound := c.bound
				if c.name == "silu" && x < -87.3 {
					bound = 52.5 // about 104/2: half an ulp of a subnormal sigmoid, times x
				}
				if u := ulps(y, want); u > bound && Finite(y) {
					t.Fatalf("%s(%08x) is off by %.3f ulp, at most %.3f", c.name, Bits(x), u, bound)
				} else if u > worst && Finite(y) && x > -87.3 {
					worst, at = u, x
				}
				if !first && c.monotone != 0 && (y-last)*float32(c.monotone) < 0 {
					t.Fatalf("%s falls between neighbours near %08x", c.name, Bits(x))
				}
				last, first = y, false
			}
			t.Logf("largest error on 2²⁰ inputs: %.3f ulp at %g", worst, at)
		})
	}
}

func TestFX05FunctionsNearZeroAndOne(t *testing.T) {
	for _, c := range functions {
		for _, around := range []uint32{0x3f800000, 0xbf800000, 0x3f200000, 0x41104000, 0x3f3504f3, 0xc2800000, 0x42b17218, 0xc2cff1b5, 0x00800000} {
			for i := around - 2000; i < around+2000; i++ {
				x := math.Float32frombits(i)
				y := c.f(x)
				if y != y || !Finite(y) || c.exact(float64(x)) > math.MaxFloat32 {
					continue
				}
				bound := c.bound
				if c.name == "silu" && x < -87.3 {
					bound = 52.5 // about 104/2: half an ulp of a subnormal sigmoid, times x
				}
				if u := ulps(y, c.exact(float64(x))); u > bound {
					t.Fatalf("%s(%08x) is off by %.3f ulp, at most %.3f", c.name, i, u, bound)
				}
			}
		}
	}
}

func TestFX05SpecialValues(t *testing.T) {
	const inf, minusInf, minusZero, nan = 0x7f800000, 0xff800000, 0x80000000, 0xffc12345
	for _, c := range []struct {
		name     string
		f        func(float32) float32
		in, want uint32
	}{
		{"exp of NaN is the canonical NaN", Exp, nan, NaNBits},
		{"exp of infinity", Exp, inf, inf},
		{"exp of minus infinity is +0", Exp, minusInf, 0},
		{"exp of zero is one", Exp, 0, 0x3f800000},
		{"exp of minus zero is one", Exp, minusZero, 0x3f800000},
		{"exp just above the limit overflows", Exp, 0x42b17219, inf},
		{"exp just below the lower limit is +0", Exp, 0xc2cff1b6, 0},
		{"exp gives the least subnormal", Exp, 0xc2cff1b4, 1},
		{"log of NaN", Log, nan, NaNBits},
		{"log of one is +0", Log, 0x3f800000, 0},
		{"log of zero is minus infinity", Log, 0, minusInf},
		{"log of minus zero is minus infinity", Log, minusZero, minusInf},
		{"log below zero is NaN", Log, 0xbf800000, NaNBits},
		{"log of the least subnormal", Log, 1, 0xc2ce8ed0},
		{"log of infinity", Log, inf, inf},
		{"log of minus infinity is NaN", Log, minusInf, NaNBits},
		{"tanh of NaN", Tanh, nan, NaNBits},
		{"tanh of minus zero is minus zero", Tanh, minusZero, minusZero},
		{"tanh of minus infinity is minus one", Tanh, minusInf, 0xbf800000},
		{"sigmoid of NaN", Sigmoid, nan, NaNBits},
		{"sigmoid of zero is a half", Sigmoid, 0, 0x3f000000},
		{"sigmoid of minus infinity is +0", Sigmoid, minusInf, 0},
		{"sigmoid of infinity is one", Sigmoid, inf, 0x3f800000},
		{"silu of NaN", Silu, nan, NaNBits},
		{"silu of minus infinity is NaN", Silu, minusInf, NaNBits},
		{"silu of minus zero is minus zero", Silu, minusZero, minusZero},
		{"rsqrt of zero is infinity", Rsqrt, 0, inf},
		{"rsqrt of minus zero is minus infinity", Rsqrt, minusZero, minusInf},
		{"rsqrt of infinity is +0", Rsqrt, inf, 0},
		{"rsqrt below zero is NaN", Rsqrt, 0xbf800000, NaNBits},
		{"rsqrt of a subnormal", Rsqrt, 0x00400000, 0x5f3504f3},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := math.Float32bits(c.f(math.Float32frombits(c.in))); got != c.want {
				t.Errorf("f(%08x) = %08x, want %08x", c.in, got, c.want)
			}
		})
	}
}
