// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// exactFMA computes x·y+z exactly and rounds once, with math/big.
func exactFMA(x, y, z float32) float32 {
	if !Finite(x) || !Finite(y) || !Finite(z) {
		return Canon(float32(float64(float64(x)*float64(y)) + float64(z)))
	}
	wide := func(v float32) *big.Float { return new(big.Float).SetPrec(700).SetFloat64(float64(v)) }
	p := wide(x)
	p.Mul(p, wide(y))
	p.Add(p, wide(z))
	r, _ := p.Float32()
	return r
}

func wantBits(t *testing.T, what string, got, want float32) {
	t.Helper()
	if math.Float32bits(got) != math.Float32bits(Canon(want)) {
		t.Errorf("%s = %08x, want %08x", what, math.Float32bits(got), Bits(want))
	}
}

func TestFX02FMARoundsOnce(t *testing.T) {
	for _, c := range []struct {
		name          string
		x, y, z, want uint32
	}{
		{"zero times zero plus zero", 0, 0, 0, 0},
		{"minus zero stays when all terms are minus zero", 0x80000000, 0x3f800000, 0x80000000, 0x80000000},
		{"plus and minus zero give plus zero", 0x80000000, 0x3f800000, 0, 0},
		{"an exact cancellation gives plus zero", 0x3f800000, 0xbf800000, 0x3f800000, 0},
		{"the low part of a square survives cancellation", 0x3f800001, 0x3f800001, 0xbf800002, 0x28800000},
		{"a tie below an even number goes to the even one", 0x3f800000, 0x33800000, 0x3f800000, 0x3f800000},
		{"a tie above an odd number goes up to the even one", 0x3f800000, 0x33800000, 0x3f800001, 0x3f800002},
		{"a tie with a crumb above goes up", 0x33800000, 0x3f800001, 0x3f800000, 0x3f800001},
		{"a tie less a crumb beyond binary64 goes down", 0x3f800001, 0x337ffffe, 0x3f800001, 0x3f800001},
		{"a product on a tie goes to the even number", 0x4a800002, 0x40a00000, 0, 0x4ba00002},
		{"a product on a tie with a crumb beyond binary64 goes up", 0x4a800002, 0x40a00000, 0x30000000, 0x4ba00003},
		{"a product on a tie less a crumb goes down", 0x4a800006, 0x40a00000, 0xb0000000, 0x4ba00007},
		{"a negative product on a tie with a crumb goes away from zero", 0xca800002, 0x40a00000, 0xb0000000, 0xcba00003},
		{"a subnormal tie less a crumb beyond binary64 goes down", 0x1a000001, 0x19fffffe, 0x00000041, 0x00000041},
		{"half of the least subnormal ties to zero", 0x3f000000, 0x00000001, 0, 0},
		{"minus half of the least subnormal ties to minus zero", 0xbf000000, 0x00000001, 0, 0x80000000},
		{"three halves of the least subnormal tie to two", 0x3fc00000, 0x00000001, 0, 0x00000002},
		{"a subnormal result is kept", 0x00800000, 0x3f000000, 0, 0x00400000},
		{"a product beyond the range becomes infinite", 0x7f7fffff, 0x40000000, 0, 0x7f800000},
		{"a product beyond the range comes back by the sum", 0x7f7fffff, 0x40000000, 0xff7fffff, 0x7f7fffff},
		{"half an ulp above the greatest number is infinite", 0x3f800000, 0x73000000, 0x7f7fffff, 0x7f800000},
		{"less than half an ulp above it is not", 0x3f800000, 0x72ffffff, 0x7f7fffff, 0x7f7fffff},
		{"zero times infinity is NaN", 0, 0x7f800000, 0x3f800000, NaNBits},
		{"infinity minus infinity is NaN", 0x7f800000, 0x3f800000, 0xff800000, NaNBits},
		{"infinity times one is infinity", 0xff800000, 0x3f800000, 0x3f800000, 0xff800000},
		{"a NaN with a payload becomes canonical", 0x7fc12345, 0x3f800000, 0, NaNBits},
		{"a signalling negative NaN becomes canonical", 0x3f800000, 0xff800001, 0, NaNBits},
		{"a NaN addend becomes canonical", 0, 0, 0xffc00000, NaNBits},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, y, z := math.Float32frombits(c.x), math.Float32frombits(c.y), math.Float32frombits(c.z)
			wantBits(t, "FMA32", FMA32(x, y, z), math.Float32frombits(c.want))
			wantBits(t, "the exact reference", Canon(exactFMA(x, y, z)), math.Float32frombits(c.want))
			var narrow [1]float32
			acc := []float64{float64(z)}
			Axpy(acc, float64(x), []float64{float64(y)})
			Narrow(narrow[:], acc)
			wantBits(t, "Axpy", narrow[0], math.Float32frombits(c.want))
		})
	}
}

func TestFX02FMAEqualsExactArithmetic(t *testing.T) {
	n := 1 << 19
	if *exhaustive {
		n = 1 << 24
	}
	g := triples{state: 11}
	var narrow [1]float32
	for i := range n {
		x, y, z := g.next()
		want := Bits(exactFMA(x, y, z))
		if got := Bits(FMA32(x, y, z)); got != want {
			t.Fatalf("triple %d: fma(%08x, %08x, %08x) = %08x, exactly %08x", i, Bits(x), Bits(y), Bits(z), got, want)
		}
		acc := [1]float64{float64(z)}
		Axpy(acc[:], float64(x), []float64{float64(y)})
		if Narrow(narrow[:], acc[:]); math.Float32bits(narrow[0]) != want {
			t.Fatalf("triple %d: Axpy gives %08x, exactly %08x", i, Bits(narrow[0]), want)
		}
	}
}

// coarse draws values that tie and cancel often: few mantissa bits, and all of
// zeros, subnormals, infinities and NaN.
func coarse() *rapid.Generator[float32] {
	return rapid.Custom(func(t *rapid.T) float32 {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			return rapid.SampledFrom([]float32{0, f(0x80000000), f(1), f(0x80000001), f(0x7f800000), f(0xff800000), f(0x7fc00001), f(0x7f7fffff)}).Draw(t, "special")
		case 1:
			return f(rapid.Uint32().Draw(t, "bits"))
		default:
			return float32(rapid.IntRange(-64, 64).Draw(t, "m")) * pow2(int32(rapid.IntRange(-30, 5).Draw(t, "e")))
		}
	})
}

func TestFX03OrdersOfWorkGiveTheBitsOfTheChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, n := rapid.IntRange(0, 40).Draw(t, "k"), rapid.IntRange(1, 9).Draw(t, "n")
		a := rapid.SliceOfN(coarse(), k, k).Draw(t, "a")
		b := rapid.SliceOfN(coarse(), k*n, k*n).Draw(t, "b") // [K, N]
		acc, row, out := make([]float64, n), make([]float64, n), make([]float32, n)
		for i, x := range a {
			Widen(row, b[i*n:(i+1)*n])
			Axpy(acc, float64(x), row)
		}
		Narrow(out, acc)
		for j := range n {
			var want float32
			col := make([]float32, k)
			for i := range k {
				col[i] = b[i*n+j]
				want = Canon(exactFMA(a[i], col[i], want))
			}
			if Bits(Dot(a, col)) != Bits(want) || math.Float32bits(out[j]) != Bits(want) {
				t.Fatalf("column %d: Dot %08x, rows %08x, want %08x", j, Bits(Dot(a, col)), Bits(out[j]), Bits(want))
			}
		}
	})
}

func TestFX03ChainsOfAdditionsRoundEachTerm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOf(coarse()).Draw(t, "x")
		var want float32
		acc := []float64{0}
		for _, v := range x {
			want = Add(want, v)
			AddTo(acc, []float64{float64(v)})
		}
		if math.Float32bits(Sum(x)) != Bits(want) || Bits(float32(acc[0])) != Bits(want) {
			t.Fatalf("Sum %08x, AddTo %08x, want %08x", Bits(Sum(x)), Bits(float32(acc[0])), Bits(want))
		}
	})
}

func TestFX03PaddingAChainWouldChangeIt(t *testing.T) {
	minus := f(0x80000000)
	if got := Bits(Sum([]float32{minus})); got != 0 {
		t.Errorf("+0 + −0 = %08x, want +0", got)
	}
	inf := f(0x7f800000)
	if got := Bits(Dot([]float32{0}, []float32{inf})); got != NaNBits {
		t.Errorf("0·Inf = %08x, want NaN", got)
	}
}
