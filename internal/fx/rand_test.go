// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"math"
	"testing"
)

func TestFX06PhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		name string
		key  [2]uint32
		ctr  [4]uint32
		want [4]uint32
	}{
		{"zeros", [2]uint32{}, [4]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{"ones", [2]uint32{0xffffffff, 0xffffffff}, [4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{"digits of pi", [2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Philox(c.key, c.ctr); got != c.want {
				t.Errorf("Philox = %08x, want %08x", got, c.want)
			}
		})
	}
}

func TestFX06StreamsFollowTheDefinition(t *testing.T) {
	s := Stream{Seed: 0x0123456789abcdef, Stream: 7, Purpose: PurposeInit}
	out := make([]float32, 3000)
	s.FillNormal(out)
	var mean, square float64
	for i := range uint64(3000) {
		block := Philox([2]uint32{0x89abcdef, 0x01234567}, [4]uint32{uint32(i / 4), 0, 7, 1})
		if s.Word(i) != block[i%4] {
			t.Fatalf("word %d is not output %d at index %d", i, i%4, i/4)
		}
		u := s.U01(i)
		if u < 0 || u >= 1 || u*(1<<24) != float32(s.Word(i)>>8) {
			t.Fatalf("u01 %d = %g", i, u)
		}
		var sum float32
		for k := range uint64(12) {
			sum = Add(sum, s.U01(12*i+k))
		}
		if want := Sub(sum, 6); out[i] != want || s.Normal(i) != want {
			t.Fatalf("normal %d = %g, want %g", i, out[i], want)
		}
		mean += float64(out[i])
		square += float64(out[i] * out[i])
		if want := float32(1) - 2*float32(s.Word(i)&1); s.Sign(i) != want {
			t.Fatalf("sign %d = %g, want %g", i, s.Sign(i), want)
		}
	}
	if m, v := mean/3000, square/3000; math.Abs(m) > 0.06 || math.Abs(v-1) > 0.1 {
		t.Errorf("3,000 normals have mean %.3f and variance %.3f", m, v)
	}
	far := Stream{Seed: 1, Purpose: PurposeInit}
	if got, want := far.Word(4<<32), Philox([2]uint32{1, 0}, [4]uint32{0, 1, 0, 1})[0]; got != want {
		t.Errorf("a word past index 2³² = %08x, want %08x", got, want)
	}
}

func TestFX06PermIsAPermutation(t *testing.T) {
	for n := uint64(1); n < 200; n++ {
		permutes(t, 42, uint32(n%3), n)
	}
	permutes(t, 1, 0, 1797)
	permutes(t, 0xffffffffffffffff, 0xffffffff, 4097)
}

func permutes(t *testing.T, seed uint64, e uint32, n uint64) {
	t.Helper()
	seen := make([]bool, n)
	o := NewOrder(seed, e, n)
	for x := range n {
		y := Perm(seed, e, n, x)
		if y >= n || seen[y] {
			t.Fatalf("perm of %d in %d leaves the range or repeats: %d", x, n, y)
		}
		if z := o.At(x); z != y {
			t.Fatalf("the table gives %d for %d in %d, want %d", z, x, n, y)
		}
		seen[y] = true
	}
}

// naivePerm is the sentence of FX-06.
func naivePerm(seed uint64, e uint32, n, x uint64) uint64 {
	even := 0
	for even < 64 && uint64(1)<<even < n {
		even += 2
	}
	w := even / 2
	for {
		l, r := x>>w, x%(1<<w)
		for j := range 8 {
			fn := Philox([2]uint32{uint32(seed), uint32(seed >> 32)}, [4]uint32{uint32(r), uint32(j), e, 2})[0]
			l, r = r, l^uint64(fn)%(1<<w)
		}
		if x = l*(1<<w) + r; x < n {
			return x
		}
	}
}

func TestFX06PermFollowsTheDefinition(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 4, 5, 16, 17, 1000, 1 << 20, 1<<25 + 3, 1 << 40, 1<<62 + 1} {
		for x := range min(n, 50) {
			if got, want := NewOrder(99, 3, n).At(n-1-x), naivePerm(99, 3, n, n-1-x); got != want {
				t.Fatalf("perm(%d of %d) = %d, want %d", n-1-x, n, got, want)
			}
		}
	}
	if Perm(1, 0, 0, 5) != 0 || NewOrder(1, 0, 0).At(5) != 0 {
		t.Error("an empty range must give 0")
	}
	if Perm(1, 0, 10, 13) != Perm(1, 0, 10, 3) {
		t.Error("a position is taken modulo n")
	}
}

func TestFX06PermDependsOnSeedAndEpoch(t *testing.T) {
	differ := func(a, b *Order) (n int) {
		for x := range uint64(1000) {
			if a.At(x) != b.At(x) {
				n++
			}
		}
		return n
	}
	base := NewOrder(1, 0, 1000)
	for name, o := range map[string]*Order{"seed": NewOrder(2, 0, 1000), "high half of the seed": NewOrder(1|1<<32, 0, 1000), "epoch": NewOrder(1, 1, 1000)} {
		if n := differ(base, o); n < 980 {
			t.Errorf("another %s moves only %d of 1,000 rows", name, n)
		}
	}
}
