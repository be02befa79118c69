// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/enc"
)

// naiveSum is RCP-02 word for word, in the recursive form of RFC 6962: the left
// part is the greatest power of two below n.
func naiveSum(leaves []SumLeaf) ([32]byte, uint64) {
	be := func(x uint64) []byte { return binary.BigEndian.AppendUint64(nil, x) }
	if len(leaves) == 0 {
		return sha256.Sum256(nil), 0
	}
	if len(leaves) == 1 {
		body := sha256.Sum256(leaves[0].Body)
		return sha256.Sum256(slices.Concat([]byte{0}, be(leaves[0].Sum), body[:])), leaves[0].Sum
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	lh, ls := naiveSum(leaves[:k])
	rh, rs := naiveSum(leaves[k:])
	return sha256.Sum256(slices.Concat([]byte{1}, be(ls), lh[:], be(rs), rh[:])), ls + rs
}

func testSums(n int) []SumLeaf {
	out := make([]SumLeaf, n)
	for i := range out {
		out[i] = SumLeaf{Sum: uint64(i*i) % 1_000, Body: fmt.Appendf(nil, "line %d", i)}
	}
	return out
}

func drawSums(rt *rapid.T) []SumLeaf {
	return rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) SumLeaf {
		return SumLeaf{Sum: rapid.Uint64Range(0, 1<<57).Draw(rt, "sum"), Body: rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(rt, "body")}
	}), 1, 40).Draw(rt, "leaves")
}

func prefix(leaves []SumLeaf, n uint64) (sum uint64) {
	for _, l := range leaves[:n] {
		sum += l.Sum
	}
	return sum
}

func sumTree(t testing.TB, leaves []SumLeaf) SumRoot {
	t.Helper()
	r, err := SumTree(leaves)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRCP02TheRootIsThatOfTheNaiveTree(t *testing.T) {
	for n := range 70 {
		leaves := testSums(n)
		h, sum := naiveSum(leaves)
		if r := sumTree(t, leaves); r.Hash != h || r.Sum != sum || r.Count != uint64(n) {
			t.Fatalf("%d leaves: %v, want %x %d", n, r, h, sum)
		}
	}
}

func TestRCP02ALeafIsProvenWithTheSumBeforeIt(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		leaves := drawSums(rt)
		root := sumTree(t, leaves)
		i := rapid.Uint64Range(0, root.Count-1).Draw(rt, "leaf")
		p, err := ProveSum(leaves, i)
		if err != nil {
			rt.Fatal(err)
		}
		before, err := p.Verify(root)
		if err != nil || before != prefix(leaves, i) {
			rt.Fatalf("leaf %d: %d before it, want %d, error %v", i, before, prefix(leaves, i), err)
		}
	})
}

func TestPAY05ARangeIsProvenWithItsAmount(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		leaves := drawSums(rt)
		root := sumTree(t, leaves)
		first := rapid.Uint64Range(0, root.Count-1).Draw(rt, "first")
		last := rapid.Uint64Range(first, root.Count-1).Draw(rt, "last")
		p, err := ProveSumRange(leaves, first, last)
		if err != nil {
			rt.Fatal(err)
		}
		before, amount, err := p.Verify(root)
		if err != nil || before != prefix(leaves, first) || amount != prefix(leaves, last+1)-before {
			rt.Fatalf("leaves %d to %d: %d before, amount %d, error %v", first, last, before, amount, err)
		}
		if p.End().Index != last {
			rt.Fatalf("ends at %d, want %d", p.End().Index, last)
		}
	})
}

// acceptedRangeIsHonest fails if a range that verifies is not, byte for byte,
// the one that ProveSumRange makes.
func acceptedRangeIsHonest(t testing.TB, leaves []SumLeaf, root SumRoot, b []byte) {
	t.Helper()
	var r SumRange
	if enc.Decode(b, &r) != nil {
		return
	}
	before, amount, err := r.Verify(root)
	if err != nil {
		if !slices.ContainsFunc([]error{ErrShape, ErrRoot, ErrIndex, ErrSum, ErrSize}, func(e error) bool { return errors.Is(err, e) }) {
			t.Fatalf("error without a class: %v", err)
		}
		return
	}
	first, last := r.First.Index, r.End().Index
	honest, err := ProveSumRange(leaves, first, last)
	if err != nil || !bytes.Equal(enc.Encode(honest), b) {
		t.Fatalf("accepted a second proof of leaves %d to %d (%v)", first, last, err)
	}
	if before != prefix(leaves, first) || amount != prefix(leaves, last+1)-before {
		t.Fatalf("leaves %d to %d: %d before, amount %d", first, last, before, amount)
	}
}

func TestPAY05OneFlippedBitMakesARangeWorthless(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		leaves := drawSums(rt)
		root := sumTree(t, leaves)
		first := rapid.Uint64Range(0, root.Count-1).Draw(rt, "first")
		last := rapid.Uint64Range(first, root.Count-1).Draw(rt, "last")
		p, err := ProveSumRange(leaves, first, last)
		if err != nil {
			rt.Fatal(err)
		}
		b := enc.Encode(p)
		for range 60 {
			i := rapid.IntRange(0, 8*len(b)-1).Draw(rt, "bit")
			bad := slices.Clone(b)
			bad[i/8] ^= 1 << (i % 8)
			acceptedRangeIsHonest(t, leaves, root, bad)
		}
	})
}

func TestPAY05ARangeInAnyOtherShapeIsRefused(t *testing.T) {
	leaves := testSums(9)
	root := sumTree(t, leaves)
	one := func(i uint64) *SumProof {
		p, err := ProveSum(leaves, i)
		if err != nil {
			t.Fatal(err)
		}
		return &p
	}
	run := func(before, first, last, after *SumProof) SumRange {
		return SumRange{Before: before, First: *first, Last: last, After: after}
	}
	empty := sumTree(t, nil)
	for _, c := range []struct {
		name string
		r    SumRange
		root SumRoot
		want error
	}{
		{"leaves 3 to 5", run(one(2), one(3), one(5), one(6)), root, nil},
		{"all leaves", run(nil, one(0), one(8), nil), root, nil},
		{"one leaf", run(one(3), one(4), nil, one(5)), root, nil},
		{"no leaf before", run(nil, one(3), one(5), one(6)), root, ErrShape},
		{"no leaf after", run(one(2), one(3), one(5), nil), root, ErrShape},
		{"a leaf before that does not touch", run(one(1), one(3), one(5), one(6)), root, ErrShape},
		{"a leaf after that does not touch", run(one(2), one(3), one(5), one(7)), root, ErrShape},
		{"a leaf before the first", run(one(0), one(0), one(5), one(6)), root, ErrShape},
		{"a leaf behind the last", run(nil, one(0), one(8), one(8)), root, ErrShape},
		{"one leaf as first and last", run(one(3), one(4), one(4), one(5)), root, ErrShape},
		{"last before first", run(one(4), one(5), one(3), one(4)), root, ErrShape},
		{"an empty tree", run(nil, one(0), nil, nil), empty, ErrIndex},
		{"a greater count", run(one(7), one(8), nil, one(8)), SumRoot{Hash: root.Hash, Sum: root.Sum, Count: 10}, ErrShape},
		{"a smaller sum", run(nil, one(0), one(8), nil), SumRoot{Hash: root.Hash, Sum: root.Sum - 1, Count: 9}, ErrRoot},
	} {
		if _, _, err := c.r.Verify(c.root); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := ProveSumRange(leaves, 4, 3); !errors.Is(err, ErrIndex) {
		t.Errorf("a run backwards: %v", err)
	}
	if _, err := ProveSumRange(leaves, 4, 9); !errors.Is(err, ErrIndex) {
		t.Errorf("a run past the end: %v", err)
	}
}

func TestRCP02SumsStayBelow2To63(t *testing.T) {
	half := SumLeaf{Sum: 1 << 62}
	almost := SumLeaf{Sum: 1<<62 - 1}
	r := sumTree(t, []SumLeaf{half, almost})
	if r.Sum != MaxSum-1 {
		t.Errorf("sum %d", r.Sum)
	}
	for name, leaves := range map[string][]SumLeaf{
		"two halves": {half, half}, "one leaf of 2^63": {{Sum: MaxSum}}, "a wrap to 0": {half, half, half, half},
		"the greatest leaf": {{Sum: 1<<64 - 1}},
	} {
		_, err1 := SumTree(leaves)
		_, err2 := ProveSum(leaves, 0)
		_, err3 := ProveSumRange(leaves, 0, 0)
		for _, err := range []error{err1, err2, err3} {
			if !errors.Is(err, ErrSum) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := SumTree([]SumLeaf{{Body: make([]byte, MaxBody+1)}}); !errors.Is(err, ErrSize) {
		t.Errorf("a long body: %v", err)
	}
	// A proof that adds up to 2^63 is refused, whatever it hashes to.
	for name, p := range map[string]SumProof{
		"a sibling":          {Sum: 1, Path: []SumNode{{Sum: MaxSum - 1}}},
		"a great sibling":    {Sum: 1, Path: []SumNode{{Sum: 1<<64 - 1}}},
		"a great leaf":       {Sum: 1<<64 - 1, Path: []SumNode{{Sum: 1}}},
		"a leaf alone":       {Sum: MaxSum},
		"a long body anyway": {Body: make([]byte, MaxBody+1)},
	} {
		if _, err := p.Verify(SumRoot{Count: uint64(len(p.Path)) + 1}); !errors.Is(err, ErrSum) && !errors.Is(err, ErrSize) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzSumRange(f *testing.F) {
	leaves := testSums(9)
	root := sumTree(f, leaves)
	for _, c := range [][2]uint64{{0, 8}, {3, 5}, {4, 4}} {
		r, err := ProveSumRange(leaves, c[0], c[1])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(enc.Encode(r))
	}
	f.Fuzz(func(t *testing.T, b []byte) { acceptedRangeIsHonest(t, leaves, root, b) })
}

func FuzzSumProof(f *testing.F) {
	leaves := testSums(9)
	root := sumTree(f, leaves)
	p, err := ProveSum(leaves, 4)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(enc.Encode(p))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p SumProof
		if enc.Decode(b, &p) != nil {
			return
		}
		before, err := p.Verify(root)
		if err != nil {
			return
		}
		honest, _ := ProveSum(leaves, p.Index)
		if before != prefix(leaves, p.Index) || !bytes.Equal(enc.Encode(honest), b) {
			t.Fatalf("accepted a second proof of leaf %d", p.Index)
		}
	})
}

func BenchmarkSumTree(b *testing.B) {
	leaves := testSums(10_000)
	for b.Loop() {
		if _, err := SumTree(leaves); err != nil {
			b.Fatal(err)
		}
	}
}
