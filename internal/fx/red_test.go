// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// naiveRed is FX-04 read aloud: 32 chains by index, then a tree.
func naiveRed(x []float32, absent float32, join func(a, b float32) float32, square bool) float32 {
	if len(x) > 4096 {
		var part []float32
		for i := 0; i < len(x); i += 4096 {
			part = append(part, naiveRed(x[i:min(i+4096, len(x))], absent, join, square))
		}
		return naiveRed(part, absent, join, false)
	}
	var lanes [32]float32
	for l := range lanes {
		lanes[l] = absent
		for i := l; i < len(x); i += 32 {
			if square {
				lanes[l] = FMA32(x[i], x[i], lanes[l])
			} else {
				lanes[l] = join(lanes[l], x[i])
			}
		}
	}
	for _, w := range []int{16, 8, 4, 2, 1} {
		for l := range w {
			lanes[l] = join(lanes[l], lanes[l+w])
		}
	}
	return lanes[0]
}

func TestFX04ReductionsFollowTheDefinition(t *testing.T) {
	long := make([]float32, 3*4096+17)
	Stream{Seed: 5, Purpose: PurposeBench}.FillNormal(long)
	inf := float32(math.Inf(-1))
	check := func(x []float32) (name string, got, want float32) {
		for _, c := range []struct {
			name      string
			got, want float32
		}{
			{"sum", RedSum(x), naiveRed(x, 0, Add, false)},
			{"sumsq", RedSumSq(x), naiveRed(x, 0, Add, true)},
			{"max", RedMax(x), naiveRed(x, inf, Max, false)},
		} {
			if math.Float32bits(c.got) != Bits(c.want) {
				return c.name, c.got, c.want
			}
		}
		return "", 0, 0
	}
	for _, n := range []int{0, 1, 2, 31, 32, 33, 4095, 4096, 4097, 8192, len(long)} {
		if name, got, want := check(long[:n]); name != "" {
			t.Errorf("red_%s of %d values = %08x, want %08x", name, n, Bits(got), Bits(want))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		if name, got, want := check(rapid.SliceOf(coarse()).Draw(t, "x")); name != "" {
			t.Fatalf("red_%s = %08x, want %08x", name, Bits(got), Bits(want))
		}
	})
}

func TestFX04Edges(t *testing.T) {
	nan, minus := f(0x7fc00001), f(0x80000000)
	for _, c := range []struct {
		name      string
		got, want uint32
	}{
		{"the sum of nothing is +0", math.Float32bits(RedSum(nil)), 0},
		{"the greatest of nothing is −Inf", math.Float32bits(RedMax(nil)), 0xff800000},
		{"a sum of minus zeros is +0", math.Float32bits(RedSum([]float32{minus, minus})), 0},
		{"a NaN anywhere is the greatest", math.Float32bits(RedMax([]float32{1, nan, 2})), NaNBits},
		{"a NaN anywhere spoils the sum", math.Float32bits(RedSum([]float32{1, nan})), NaNBits},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.got != c.want {
				t.Errorf("got %08x, want %08x", c.got, c.want)
			}
		})
	}
}

func TestFX04TheOrderMatters(t *testing.T) {
	x := make([]float32, 1000)
	Stream{Seed: 6, Purpose: PurposeBench}.FillNormal(x)
	if Bits(RedSum(x)) == Bits(Sum(x)) {
		t.Error("red/1 and the plain chain agree on 1,000 values: the test would not see a wrong order")
	}
}

func TestOP03ArgmaxTakesTheLowestOfEquals(t *testing.T) {
	nan, inf := f(0x7fc00001), float32(math.Inf(1))
	for _, c := range []struct {
		name string
		x    []float32
		want int
	}{
		{"nothing has no greatest element", nil, -1},
		{"the first of equals", []float32{1, 3, 3, 2}, 1},
		{"zeros of both signs are equal", []float32{f(0x80000000), 0}, 0},
		{"a NaN counts above infinity", []float32{inf, nan, nan}, 1},
		{"all minus infinity", []float32{-inf, -inf}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Argmax(c.x); got != c.want {
				t.Errorf("Argmax = %d, want %d", got, c.want)
			}
		})
	}
}
