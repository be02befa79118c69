// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/enc"
)

// treeOf builds a tree with the given state in one update.
func treeOf(t testing.TB, state map[string]string) *tree {
	t.Helper()
	tr := newTree()
	var writes []KV
	for _, k := range slices.Sorted(maps.Keys(state)) {
		writes = append(writes, kv(k, state[k]))
	}
	tr.update(t, writes...)
	return tr
}

// prove proves what the state says about key and checks the proof.
func prove(t testing.TB, tr *tree, state map[string]string, key string) StateProof {
	t.Helper()
	var value []byte
	if v, ok := state[key]; ok {
		value = []byte(v)
	}
	p, err := ProveState(tr.nodes, tr.root, []byte(key), value)
	if err != nil {
		t.Fatalf("prove %q: %v", key, err)
	}
	if err := p.Verify(tr.root.Hash); err != nil {
		t.Fatalf("verify %q: %v", key, err)
	}
	if p.Present() != (value != nil) {
		t.Fatalf("proof of %q says present is %v", key, p.Present())
	}
	return p
}

func drawState(rt *rapid.T) map[string]string {
	return rapid.MapOfN(rapid.OneOf(rapid.SampledFrom(closeKeys), rapid.StringN(1, 3, 8)),
		rapid.StringN(1, 4, 8), 0, 60).Draw(rt, "state")
}

// drawKey draws a key of the state, one close to one, or any.
func drawKey(rt *rapid.T, state map[string]string) string {
	if ks := slices.Sorted(maps.Keys(state)); len(ks) > 0 && rapid.Bool().Draw(rt, "a key of the state") {
		return rapid.SampledFrom(ks).Draw(rt, "key")
	}
	return rapid.OneOf(rapid.SampledFrom(closeKeys), rapid.StringN(1, 3, 8)).Draw(rt, "key")
}

func TestSTA04PresenceAndAbsenceAreProven(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		state := drawState(rt)
		tr := treeOf(t, state)
		for range 10 {
			key := drawKey(rt, state)
			p := prove(t, tr, state, key)
			var q StateProof
			if err := enc.Decode(enc.Encode(p), &q); err != nil || q.Verify(tr.root.Hash) != nil {
				rt.Fatalf("after encoding: %v", err)
			}
			other := []byte(state[key] + "x")
			if _, err := ProveState(tr.nodes, tr.root, []byte(key), other); !errors.Is(err, ErrValue) {
				rt.Fatalf("proof of another value: %v", err)
			}
			if _, ok := state[key]; ok {
				if _, err := ProveState(tr.nodes, tr.root, []byte(key), nil); !errors.Is(err, ErrValue) {
					rt.Fatalf("proof of absence of a key that is there: %v", err)
				}
			}
		}
	})
}

// acceptedIsHonest fails if a proof that verifies says something untrue or is
// not, byte for byte, the proof that ProveState makes.
func acceptedIsHonest(t testing.TB, tr *tree, state map[string]string, b []byte) {
	t.Helper()
	var p StateProof
	if enc.Decode(b, &p) != nil {
		return
	}
	err := p.Verify(tr.root.Hash)
	if err != nil {
		if !errors.Is(err, ErrShape) && !errors.Is(err, ErrRoot) && !errors.Is(err, ErrSize) {
			t.Fatalf("error without a class: %v", err)
		}
		return
	}
	v, ok := state[string(p.Key)]
	if ok != p.Present() || ok && v != string(*p.Value) {
		t.Fatalf("accepted an untruth about %q", p.Key)
	}
	if honest := prove(t, tr, state, string(p.Key)); !bytes.Equal(enc.Encode(honest), b) {
		t.Fatalf("accepted a second proof about %q", p.Key)
	}
}

func TestSTA04OneFlippedBitMakesAProofWorthless(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		state := drawState(rt)
		tr := treeOf(t, state)
		b := enc.Encode(prove(t, tr, state, drawKey(rt, state)))
		for range 60 {
			i := rapid.IntRange(0, 8*len(b)-1).Draw(rt, "bit")
			bad := slices.Clone(b)
			bad[i/8] ^= 1 << (i % 8)
			acceptedIsHonest(t, tr, state, bad)
		}
	})
}

func TestSTA04AProofInAnyOtherShapeIsRefused(t *testing.T) {
	state := map[string]string{}
	for i := range 40 {
		state[fmt.Sprint("k", i)] = fmt.Sprint("v", i)
	}
	tr := treeOf(t, state)
	here := prove(t, tr, state, "k7")
	leafAbsence, emptyAbsence := absences(t, tr, state)
	lone := treeOf(t, map[string]string{"k7": "v7"})
	for _, c := range []struct {
		name   string
		p      StateProof
		root   [32]byte
		change func(p *StateProof)
		want   error
	}{
		{"presence as it is", here, tr.root.Hash, func(p *StateProof) {}, nil},
		{"absence beside a leaf as it is", leafAbsence, tr.root.Hash, func(p *StateProof) {}, nil},
		{"absence at an empty place as it is", emptyAbsence, tr.root.Hash, func(p *StateProof) {}, nil},
		{"an empty key", here, tr.root.Hash, func(p *StateProof) { p.Key = nil }, ErrSize},
		{"a long key", here, tr.root.Hash, func(p *StateProof) { p.Key = make([]byte, MaxKey+1) }, ErrSize},
		{"an empty value", here, tr.root.Hash, func(p *StateProof) { p.Value = &[]byte{} }, ErrSize},
		{"a long value", here, tr.root.Hash, func(p *StateProof) { v := make([]byte, MaxValue+1); p.Value = &v }, ErrSize},
		{"another value", here, tr.root.Hash, func(p *StateProof) { v := []byte("v8"); p.Value = &v }, ErrShape},
		{"another key", here, tr.root.Hash, func(p *StateProof) { p.Key = []byte("k8") }, ErrShape},
		{"presence without a terminal", here, tr.root.Hash, func(p *StateProof) { p.Terminal = nil }, ErrShape},
		{"presence turned into absence", here, tr.root.Hash, func(p *StateProof) { p.Value = nil }, ErrShape},
		{"absence turned into presence", leafAbsence, tr.root.Hash, func(p *StateProof) { v := []byte("v7"); p.Value = &v }, ErrShape},
		{"a terminal from elsewhere", emptyAbsence, tr.root.Hash, func(p *StateProof) { p.Terminal = &Terminal{} }, ErrShape},
		{"no bitmap", here, tr.root.Hash, func(p *StateProof) { p.Bitmap = nil }, ErrShape},
		{"a bitmap without its end", here, tr.root.Hash, func(p *StateProof) { p.Bitmap = append(slices.Clone(p.Bitmap), 0) }, ErrShape},
		{"a depth of 257", here, tr.root.Hash, func(p *StateProof) { p.Bitmap = append(make([]byte, 32), 2) }, ErrShape},
		{"a bitmap of 34 bytes", here, tr.root.Hash, func(p *StateProof) { p.Bitmap = append(make([]byte, 33), 1) }, ErrShape},
		{"an unused sibling", here, tr.root.Hash, func(p *StateProof) { p.Siblings = append(slices.Clone(p.Siblings), [32]byte{1}) }, ErrShape},
		{"a sibling too few", here, tr.root.Hash, func(p *StateProof) { p.Siblings = p.Siblings[1:] }, ErrShape},
		{"a needless empty bit at the terminal", here, tr.root.Hash, func(p *StateProof) { p.Bitmap = shiftBits(p.Bitmap) }, ErrShape},
		{"a needless empty bit at the root", here, tr.root.Hash, func(p *StateProof) {
			p.Bitmap = slices.Clone(p.Bitmap)
			last := &p.Bitmap[len(p.Bitmap)-1]
			top := byte(1) << (highBit(*last))
			*last = *last&^top | top<<1
		}, ErrRoot},
		{"a sibling of zeros", here, tr.root.Hash, func(p *StateProof) {
			p.Siblings = slices.Clone(p.Siblings)
			p.Siblings[0] = [32]byte{}
		}, ErrShape},
		{"a leaf under an empty sibling", prove(t, lone, map[string]string{"k7": "v7"}, "k7"), lone.root.Hash,
			func(p *StateProof) { p.Bitmap = []byte{2} }, ErrShape},
		{"the wrong root", here, [32]byte{}, func(p *StateProof) {}, ErrRoot},
	} {
		p := c.p
		c.change(&p)
		if err := p.Verify(c.root); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// absences finds an absent key whose path ends at a leaf and one whose path ends
// at nothing below the root.
func absences(t testing.TB, tr *tree, state map[string]string) (atLeaf, atEmpty StateProof) {
	t.Helper()
	for i := 0; atLeaf.Terminal == nil || len(atEmpty.Siblings) == 0; i++ {
		p := prove(t, tr, state, fmt.Sprint("absent", i))
		if p.Terminal != nil {
			atLeaf = p
		} else {
			atEmpty = p
		}
	}
	return atLeaf, atEmpty
}

// shiftBits adds a zero bit at the low end of a bit list.
func shiftBits(b []byte) []byte {
	out := make([]byte, len(b)+1)
	for i, x := range b {
		out[i] |= x << 1
		out[i+1] |= x >> 7
	}
	if out[len(b)] == 0 {
		out = out[:len(b)]
	}
	return out
}

func highBit(b byte) (n int) {
	for b > 1 {
		b, n = b>>1, n+1
	}
	return n
}

// TestSTA04ProofsStayShort pins the size of proofs: about log2 n + 1 siblings.
func TestSTA04ProofsStayShort(t *testing.T) {
	tr := newTree()
	var writes []KV
	for i := range 20_000 {
		writes = append(writes, kv(fmt.Sprint("key", i), "v"))
	}
	tr.update(t, writes...)
	total := 0
	for i := range 200 {
		p, err := ProveState(tr.nodes, tr.root, writes[i*97].Key, writes[i*97].Value)
		if err != nil {
			t.Fatal(err)
		}
		total += len(p.Siblings)
	}
	if mean := total / 200; mean < 14 || mean > 17 {
		t.Errorf("%d siblings on average for 20,000 keys", mean)
	}
}

func FuzzStateProof(f *testing.F) {
	state := map[string]string{}
	for i := range 40 {
		state[fmt.Sprint("k", i)] = fmt.Sprint("v", i)
	}
	tr := treeOf(f, state)
	a, e := absences(f, tr, state)
	for _, p := range []StateProof{prove(f, tr, state, "k3"), a, e} {
		f.Add(enc.Encode(p))
	}
	f.Fuzz(func(t *testing.T, b []byte) { acceptedIsHonest(t, tr, state, b) })
}

func BenchmarkStateProofVerify(b *testing.B) {
	tr := newTree()
	var writes []KV
	for i := range 20_000 {
		writes = append(writes, kv(fmt.Sprint("key", i), "v"))
	}
	tr.update(b, writes...)
	p, err := ProveState(tr.nodes, tr.root, writes[7].Key, writes[7].Value)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := p.Verify(tr.root.Hash); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpdate2000Of200000 is the state root of a block of 2,000 updates in a
// state of 200,000 keys, with all nodes in memory.
func BenchmarkUpdate2000Of200000(b *testing.B) {
	tr := newTree()
	var writes []KV
	for i := range 200_000 {
		writes = append(writes, kv(fmt.Sprint("key", i), "v"))
	}
	tr.update(b, writes...)
	block := make([]KV, 2_000)
	for i := range block {
		block[i] = kv(fmt.Sprint("key", i*97), "w")
	}
	for b.Loop() {
		if _, _, _, err := Update(tr.nodes, tr.root, tr.next, block); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(block))*float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}
