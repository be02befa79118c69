// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"encoding/binary"
	"math"
	"math/big"
	"testing"
)

// words is the generator of testdata/fx.c.
func words(seed uint64) func() uint64 {
	t := triples{state: seed}
	return t.word
}

// dexpIn spreads exponents where exp bends: 2⁻⁴⁰ to 2¹⁰.
func dexpIn(u uint64) float64 { return g(u&0x800fffffffffffff | (983+u>>52%51)<<52) }

func TestFX08FunctionsEqualTheCText(t *testing.T) {
	bin := buildC(t)
	for _, c := range []struct {
		name string
		f    func(u uint64) float64
	}{
		{"dexp", func(u uint64) float64 { return Exp64(dexpIn(u)) }},
		{"dlog", func(u uint64) float64 { return Log64(g(u)) }},
	} {
		const n = 1 << 18
		want, next := runC(t, bin, c.name, "5", text(n)), words(5)
		for i := range n {
			u := next()
			if got, want := math.Float64bits(c.f(u)), binary.NativeEndian.Uint64(want[8*i:]); got != want {
				t.Fatalf("%s from %016x is %016x, C gives %016x", c.name, u, got, want)
			}
		}
	}
}

func TestFX08FunctionsAreAccurate(t *testing.T) {
	next := words(6)
	var worst [2]float64
	for range 1 << 17 {
		u := next()
		for k, c := range []struct {
			got, want, bound float64
		}{
			{Exp64(dexpIn(u)), math.Exp(dexpIn(u)), 2},
			{Log64(math.Abs(g(u))), log(math.Abs(g(u))), 2},
		} {
			if c.got == c.want || c.got != c.got && c.want != c.want {
				continue
			}
			if c.got > 1e308 && c.want > 1e308 {
				continue // math.Exp overflows early on some machines
			}
			ulp := math.Abs(math.Nextafter(c.want, math.Inf(1)) - c.want)
			off := math.Abs(c.got-c.want) / ulp
			if worst[k] = max(worst[k], off); !(off <= c.bound) {
				t.Fatalf("function %d of word %016x is %.17g, math gives %.17g, %.1f ulp", k, u, c.got, c.want, off)
			}
		}
	}
	t.Logf("largest distance from package math: %.2f and %.2f ulp", worst[0], worst[1])
}

func TestFX08SpecialValues(t *testing.T) {
	inf, nan := math.Inf(1), g(0xfff8000000000123)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"exp of NaN", Exp64(nan), g(NaN64Bits)},
		{"exp of infinity", Exp64(inf), inf},
		{"exp of minus infinity", Exp64(-inf), 0},
		{"exp of zero", Exp64(0), 1},
		{"exp of the greatest argument", Exp64(709.782712893384), g(0x7fefffffffffff2a)},
		{"exp just above it", Exp64(math.Nextafter(709.782712893384, inf)), inf},
		{"exp of a subnormal result", Exp64(-745), g(1)},
		{"log of NaN", Log64(nan), g(NaN64Bits)},
		{"log below zero", Log64(-1), g(NaN64Bits)},
		{"log of minus zero", Log64(math.Copysign(0, -1)), -inf},
		{"log of one", Log64(1), 0},
		{"log of infinity", Log64(inf), inf},
		{"log of the least subnormal", Log64(g(1)), -744.4400719213812},
		{"fma of NaN", FMA64(1, nan, 1), g(NaN64Bits)},
		{"an empty chain is +0", Dot64(nil, nil), 0},
		{"zero times infinity in a chain", Dot64([]float64{0}, []float64{inf}), g(NaN64Bits)},
		{"a distance", Dist2([]float64{1, 2}, []float64{4, 6}), 25},
		{"a sum", Sum64([]float64{1, 0x1p60, -0x1p60}), 0},
	} {
		if math.Float64bits(c.got) != math.Float64bits(c.want) {
			t.Errorf("%s is %016x, want %016x", c.name, math.Float64bits(c.got), math.Float64bits(c.want))
		}
	}
}

// log is math.Log where that is accurate: not below the normal numbers.
func log(x float64) float64 {
	if x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}

// TestFX08FMAIsExact compares with big arithmetic, products near cancellation too.
func TestFX08FMAIsExact(t *testing.T) {
	next := words(9)
	for i := range 20_000 {
		x, y := g(next()&0x801fffffffffffff|0x3fe0<<48), g(next()&0x801fffffffffffff|0x3fe0<<48)
		z := g(next()&0x801fffffffffffff | 0x3fe0<<48)
		if i%2 == 0 {
			z = -float64(x*y) + float64(int64(next()%7)-3)*0x1p-60
		}
		exact := new(big.Float).SetPrec(400).Mul(big.NewFloat(x).SetPrec(400), big.NewFloat(y).SetPrec(400))
		want, _ := exact.Add(exact, big.NewFloat(z).SetPrec(400)).Float64()
		if got := FMA64(x, y, z); got != want {
			t.Fatalf("fma(%x, %x, %x) = %x, exactly %x", x, y, z, got, want)
		}
	}
}
