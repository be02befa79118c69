// SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"errors"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"pgregory.net/rapid"
)

var (
	task     = [32]byte{1}
	operator = keys.Address{2}
)

func root(b byte) [32]byte { return [32]byte{9, b} }

// chain builds n leaves with distinct states and traces.
func chain(t testing.TB, n int) *Builder {
	t.Helper()
	b := NewBuilder(task, operator, root(0))
	for i := range n {
		if err := b.Add(root(byte(i+1)), [32]byte{7, byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestCHK01ALeafNamesTheStatesOnBothSides(t *testing.T) {
	b := chain(t, 3)
	for i, l := range b.Leaves() {
		if l.In != StateHash(task, operator, uint64(i), root(byte(i))) {
			t.Errorf("leaf %d does not start in state %d", i, i)
		}
		if l.Out != StateHash(task, operator, uint64(i+1), root(byte(i+1))) {
			t.Errorf("leaf %d does not end in state %d", i, i+1)
		}
	}
	if err := CheckChain(b.Leaves()); err != nil {
		t.Error(err)
	}
	if b.State() != b.Leaves()[2].Out {
		t.Error("the builder is not in the state in which the last leaf ended")
	}
	want := keys.Sum(keys.DomainState, task, operator, uint64(5), root(1))
	if StateHash(task, operator, 5, root(1)) != want {
		t.Error("a state hash is not H(state; task, operator, i, root)")
	}
}

func TestCHK01TheCommitmentIsTheTreeOverTheLeaves(t *testing.T) {
	b := chain(t, 5)
	var leaves [][]byte
	for _, l := range b.Leaves() {
		leaves = append(leaves, enc.Encode([]any{l.Index, l.In, l.Out, l.Trace}))
	}
	if c := b.Commitment(); c.Root != merkle.Root(leaves) || c.Segments != 5 {
		t.Errorf("commitment %+v is not the RFC 6962 root over [i, in, out, trace]", c)
	}
}

func TestCHK01NothingCanBeMovedToAnotherRun(t *testing.T) {
	base := StateHash(task, operator, 1, root(1))
	for name, other := range map[string][32]byte{
		"task":     StateHash([32]byte{3}, operator, 1, root(1)),
		"operator": StateHash(task, keys.Address{3}, 1, root(1)),
		"index":    StateHash(task, operator, 2, root(1)),
		"content":  StateHash(task, operator, 1, root(2)),
	} {
		if other == base {
			t.Errorf("another %s gives the same state hash", name)
		}
	}
}

func TestCHK01AnyFlippedBitChangesTheRoot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "n")
		b := NewBuilder(task, operator, root(0))
		for i := range n {
			if err := b.Add(root(byte(i+1)), root(byte(i))); err != nil {
				t.Fatal(err)
			}
		}
		leaves := b.Leaves()
		i, bit := rapid.IntRange(0, n-1).Draw(t, "leaf"), rapid.IntRange(0, 255).Draw(t, "bit")
		field := rapid.SampledFrom([]*[32]byte{&leaves[i].In, &leaves[i].Out, &leaves[i].Trace}).Draw(t, "field")
		field[bit/8] ^= 1 << (bit % 8)
		if Root(leaves) == b.Commitment().Root {
			t.Fatal("the root did not change")
		}
		if at, differ := FirstDifference(b.Leaves(), leaves); !differ || at != uint64(i) {
			t.Fatalf("the first difference is %d, want %d", at, i)
		}
	})
}

func TestOpeningsLeadToTheCommitmentOnly(t *testing.T) {
	for n := 1; n <= 9; n++ {
		b := chain(t, n)
		for i := range uint64(n) {
			o, err := b.Open(i)
			if err != nil {
				t.Fatal(err)
			}
			again, err := DecodeOpening(o.Encode())
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Verify(b.Commitment()); err != nil {
				t.Fatalf("opening %d of %d: %v", i, n, err)
			}
			for name, c := range map[string]Commitment{
				"another root":   {Root: root(1), Segments: uint64(n)},
				"more segments":  {Root: b.Commitment().Root, Segments: uint64(2*n + 1)},
				"fewer segments": {Root: b.Commitment().Root, Segments: i},
				"no segments":    {Root: b.Commitment().Root},
				"too many":       {Root: b.Commitment().Root, Segments: MaxSegments + 1},
			} {
				if err := again.Verify(c); !errors.Is(err, ErrOpening) && !errors.Is(err, ErrSegments) {
					t.Errorf("opening %d of %d verifies against %s: %v", i, n, name, err)
				}
			}
			again.Leaf.Index ^= 1
			if err := again.Verify(b.Commitment()); !errors.Is(err, ErrOpening) {
				t.Errorf("a renumbered leaf verifies: %v", err)
			}
		}
		if _, err := b.Open(uint64(n)); !errors.Is(err, merkle.ErrIndex) {
			t.Errorf("opening past the end: %v", err)
		}
	}
}

func TestTheBuilderResumes(t *testing.T) {
	whole := chain(t, 6)
	for k := range 6 {
		part := chain(t, k)
		b, err := ResumeBuilder(task, operator, part.Leaves(), root(byte(k)))
		if err != nil {
			t.Fatal(err)
		}
		for i := k; i < 6; i++ {
			if err := b.Add(root(byte(i+1)), [32]byte{7, byte(i)}); err != nil {
				t.Fatal(err)
			}
		}
		if b.Commitment() != whole.Commitment() {
			t.Errorf("resumed after %d segments the root differs", k)
		}
	}
	leaves := whole.Leaves()
	if _, err := ResumeBuilder(task, operator, leaves, root(1)); !errors.Is(err, ErrChain) {
		t.Errorf("resuming from another state: %v", err)
	}
	if _, err := ResumeBuilder(task, operator, leaves[1:], root(6)); !errors.Is(err, ErrChain) {
		t.Errorf("resuming without the first leaf: %v", err)
	}
}

func TestCheckChainRefuses(t *testing.T) {
	good := chain(t, 4).Leaves()
	for _, c := range []struct {
		name string
		edit func([]Leaf) []Leaf
		want error
	}{
		{"no leaves", func(l []Leaf) []Leaf { return nil }, ErrSegments},
		{"too many leaves", func(l []Leaf) []Leaf { return make([]Leaf, MaxSegments+1) }, ErrSegments},
		{"a wrong number", func(l []Leaf) []Leaf { l[2].Index = 3; return l }, ErrChain},
		{"a list that does not start at zero", func(l []Leaf) []Leaf { return l[1:] }, ErrChain},
		{"states that do not meet", func(l []Leaf) []Leaf { l[2].In[0] ^= 1; return l }, ErrChain},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := CheckChain(c.edit(append([]Leaf(nil), good...))); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestTheBuilderStopsAtTheBound(t *testing.T) {
	b := chain(t, MaxSegments)
	if err := b.Add(root(1), root(1)); !errors.Is(err, ErrSegments) {
		t.Errorf("segment %d: %v", MaxSegments, err)
	}
	data := EncodeLeaves(b.Leaves())
	if len(data) > 440<<10 {
		t.Errorf("%d leaves take %d bytes", MaxSegments, len(data))
	}
	again, err := DecodeLeaves(data)
	if err != nil || Root(again) != b.Commitment().Root {
		t.Errorf("leaves do not survive encoding: %v", err)
	}
	o, err := b.Open(MaxSegments - 1)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(o.Encode()); n > 530 {
		t.Errorf("an opening takes %d bytes", n)
	}
}

func TestFirstDifferenceOfListsOfUnequalLength(t *testing.T) {
	l := chain(t, 3).Leaves()
	if at, differ := FirstDifference(l, l); differ || at != 3 {
		t.Errorf("equal lists: %d %v", at, differ)
	}
	if at, differ := FirstDifference(l, l[:2]); !differ || at != 2 {
		t.Errorf("a list that ends early: %d %v", at, differ)
	}
}

func FuzzDecodeLeaves(f *testing.F) {
	f.Add(EncodeLeaves(chain(f, 3).Leaves()))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := DecodeLeaves(data)
		if err != nil {
			return
		}
		if CheckChain(l) != nil {
			t.Fatal("accepted leaves that are no chain")
		}
		if string(EncodeLeaves(l)) != string(data) {
			t.Fatal("two encodings of one list")
		}
	})
}

func FuzzDecodeOpening(f *testing.F) {
	b := chain(f, 3)
	o, err := b.Open(1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(o.Encode())
	c := b.Commitment()
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := DecodeOpening(data)
		if err != nil {
			return
		}
		if string(got.Encode()) != string(data) {
			t.Fatal("two encodings of one opening")
		}
		if got.Verify(c) == nil && got.Leaf != b.leaves[got.Leaf.Index] {
			t.Fatal("a false leaf verifies")
		}
	})
}
