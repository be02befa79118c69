// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/openledger/openledger/internal/enc"
)

var update = flag.Bool("update", false, "write the vectors and the fuzz corpus instead of comparing")

const vectorDir = "../../docs/spec/vectors"

// hexBytes is bytes as hexadecimal text.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type pair struct {
	Key   hexBytes  `json:"key"`
	Value *hexBytes `json:"value"` // null deletes
}

// Tree vectors: states with their roots, updates one after the other, lists.
type treeVectors struct {
	About   string       `json:"about"`
	Clauses []string     `json:"clauses"`
	States  []stateVec   `json:"states"`
	Updates []updateVec  `json:"updates"`
	Lists   []listVec    `json:"lists"`
	Invalid []badListVec `json:"invalid_list_proofs"`
}

type stateVec struct {
	Name    string   `json:"name"`
	Entries []pair   `json:"entries"`
	Root    hexBytes `json:"root"`
}

type updateVec struct {
	Writes []pair   `json:"writes"`
	Root   hexBytes `json:"root"`
}

type listVec struct {
	Leaves []hexBytes   `json:"leaves"`
	Root   hexBytes     `json:"root"`
	Paths  [][]hexBytes `json:"paths"`
}

type badListVec struct {
	Name  string     `json:"name"`
	Root  hexBytes   `json:"root"`
	Leaf  hexBytes   `json:"leaf"`
	Index uint64     `json:"index"`
	Count uint64     `json:"count"`
	Path  []hexBytes `json:"path"`
	Error string     `json:"error"`
}

// Proof vectors: encodings of StateProof.
type proofVectors struct {
	About   string     `json:"about"`
	Clauses []string   `json:"clauses"`
	Entries []pair     `json:"entries"`
	Root    hexBytes   `json:"root"`
	Valid   []proofVec `json:"valid"`
	Invalid []proofVec `json:"invalid"`
}

type proofVec struct {
	Name  string    `json:"name"`
	Root  hexBytes  `json:"root,omitempty"` // if it is not that of the file
	Key   hexBytes  `json:"key,omitempty"`
	Value *hexBytes `json:"value,omitempty"`
	Proof hexBytes  `json:"proof"`
	Error string    `json:"error,omitempty"`
}

// Sum tree vectors. Sums are decimal strings, because JSON readers differ above
// 2^53.
type sumVectors struct {
	About   string       `json:"about"`
	Clauses []string     `json:"clauses"`
	Trees   []sumTreeVec `json:"trees"`
	Leaves  []sumVec     `json:"valid_leaves"`
	Ranges  []sumVec     `json:"valid_ranges"`
	Invalid []sumVec     `json:"invalid_ranges"`
}

type sumLeafVec struct {
	Sum  string   `json:"sum"`
	Body hexBytes `json:"body"`
}

type sumRootVec struct {
	Hash  hexBytes `json:"hash"`
	Sum   string   `json:"sum"`
	Count uint64   `json:"count"`
}

type sumTreeVec struct {
	Leaves []sumLeafVec `json:"leaves"`
	Root   *sumRootVec  `json:"root"`
	Error  string       `json:"error,omitempty"`
}

// sumVec is a proof against the root of the tree with that number.
type sumVec struct {
	Name   string   `json:"name"`
	Tree   int      `json:"tree"`
	Proof  hexBytes `json:"proof"`
	Before string   `json:"before,omitempty"`
	Amount string   `json:"amount,omitempty"`
	Error  string   `json:"error,omitempty"`
}

// class names the error of a vector.
func class(err error) string {
	for _, c := range []struct {
		err  error
		name string
	}{
		{enc.ErrMalformed, "enc_malformed"}, {enc.ErrNonCanonical, "enc_canonical"}, {ErrShape, "proof_shape"},
		{ErrRoot, "proof_root"}, {ErrIndex, "proof_index"}, {ErrSum, "proof_sum"}, {ErrSize, "proof_size"},
	} {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	return fmt.Sprint("unknown: ", err)
}

func pairs(state map[string]string) []pair {
	out := []pair{}
	for _, k := range slices.Sorted(maps.Keys(state)) {
		v := hexBytes(state[k])
		out = append(out, pair{hexBytes(k), &v})
	}
	return out
}

// vectorState has deep places: two pairs of keys that share 24 bits or more.
func vectorState() map[string]string {
	state := map[string]string{}
	for i := range 20 {
		state[fmt.Sprint("k", i)] = fmt.Sprint("v", i)
	}
	for _, k := range closeKeys[:4] {
		state[k] = "close"
	}
	return state
}

func makeTreeVectors(t *testing.T) treeVectors {
	v := treeVectors{
		About: "Hash trees. states: the root of STA-02 over entries, all bytes in hex. updates: write sets applied one after the other to an " +
			"empty tree; value null deletes. lists: RFC 6962 trees, paths[i] is the audit path of leaf i from the leaf upwards. " +
			"invalid_list_proofs must be refused with the error.",
		Clauses: []string{"STA-02", "STA-03"},
	}
	for _, s := range []struct {
		name  string
		state map[string]string
	}{
		{"no keys", nil}, {"one key", map[string]string{"a": "1"}},
		{"three keys", map[string]string{"a": "1", "b": "2", "c": "3"}}, {"deep places", vectorState()},
	} {
		root := treeOf(t, s.state).root.Hash
		v.States = append(v.States, stateVec{s.name, pairs(s.state), root[:]})
	}
	tr := newTree()
	for _, writes := range [][]KV{
		{kv("a", "1"), kv("b", "2"), kv("c", "3"), kv(closeKeys[0], "x"), kv(closeKeys[1], "y")},
		{kv("b", "two"), {Key: []byte(closeKeys[0])}},
		{{Key: []byte("nobody")}, {Key: []byte("b")}, {Key: []byte("c")}, {Key: []byte(closeKeys[1])}},
		{{Key: []byte("a")}},
	} {
		tr.update(t, writes...)
		u := updateVec{Root: slices.Clone(tr.root.Hash[:])}
		for _, w := range writes {
			p := pair{Key: w.Key}
			if w.Value != nil {
				h := hexBytes(w.Value)
				p.Value = &h
			}
			u.Writes = append(u.Writes, p)
		}
		v.Updates = append(v.Updates, u)
	}
	for _, n := range []int{0, 1, 2, 3, 5, 8, 13} {
		root := Root(testLeaves(n))
		l := listVec{Leaves: []hexBytes{}, Root: root[:], Paths: [][]hexBytes{}}
		for i, leaf := range testLeaves(n) {
			path, err := Prove(testLeaves(n), uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			l.Leaves, l.Paths = append(l.Leaves, leaf), append(l.Paths, hashes(path))
		}
		v.Lists = append(v.Lists, l)
	}
	leaves := testLeaves(13)
	root := Root(leaves)
	path, _ := Prove(leaves, 12)
	bad := func(name string, leaf []byte, i, n uint64, path [][32]byte) {
		err := Verify(root, leaf, i, n, path)
		v.Invalid = append(v.Invalid, badListVec{name, root[:], leaf, i, n, hashes(path), class(err)})
	}
	bad("another leaf", []byte("x"), 12, 13, path)
	bad("another index", leaves[12], 11, 13, path)
	bad("an index at the end", leaves[12], 13, 13, path)
	bad("a path too short", leaves[12], 12, 13, path[1:])
	bad("a path too long", leaves[12], 12, 13, append(slices.Clone(path), [32]byte{}))
	bad("hashes in another order", leaves[12], 12, 13, [][32]byte{path[1], path[0]})
	bad("an inner node as a leaf", slices.Concat(path[0][:], path[1][:]), 0, 1, nil)
	return v
}

func hashes(path [][32]byte) []hexBytes {
	out := []hexBytes{}
	for _, h := range path {
		out = append(out, slices.Clone(h[:]))
	}
	return out
}

func makeProofVectors(t *testing.T) proofVectors {
	state := vectorState()
	tr := treeOf(t, state)
	v := proofVectors{
		About: "Proofs against the state root. proof is the encoding of [key, value or null, terminal or null, bitmap, siblings], terminal is " +
			"[key hash, value hash]. Bit i of the bitmap, least significant bit of the first byte first, says whether the sibling i levels above the " +
			"terminal is non-empty; one more bit, always 1 and the highest of the last byte, marks the end. siblings are the non-empty ones from the " +
			"terminal upwards. invalid proofs must be refused with the error.",
		Clauses: []string{"STA-02", "STA-04"}, Entries: pairs(state), Root: slices.Clone(tr.root.Hash[:]),
	}
	atLeaf, atEmpty := absences(t, tr, state)
	good := func(name string, tr *tree, state map[string]string, key string) StateProof {
		p := prove(t, tr, state, key)
		c := proofVec{Name: name, Key: hexBytes(key), Proof: enc.Encode(p)}
		if p.Value != nil {
			h := hexBytes(*p.Value)
			c.Value = &h
		}
		if tr.root.Hash != [32]byte(v.Root) {
			c.Root = slices.Clone(tr.root.Hash[:])
		}
		v.Valid = append(v.Valid, c)
		return p
	}
	one := treeOf(t, map[string]string{"a": "1"})
	here := good("a key that is there", tr, state, "k7")
	deep := good("a key at a deep place", tr, state, closeKeys[0])
	good("an absent key at a leaf", tr, state, string(atLeaf.Key))
	good("an absent key at an empty place", tr, state, string(atEmpty.Key))
	good("an absent key in an empty tree", newTree(), nil, "k7")
	good("the only key", one, map[string]string{"a": "1"}, "a")
	good("an absent key beside the only key", one, map[string]string{"a": "1"}, "b")
	raw := func(name string, b []byte) {
		var p StateProof
		err := enc.Decode(b, &p)
		if err == nil {
			err = p.Verify(tr.root.Hash)
		}
		v.Invalid = append(v.Invalid, proofVec{Name: name, Proof: b, Error: class(err)})
	}
	bad := func(name string, p StateProof, change func(p *StateProof)) {
		p.Bitmap, p.Siblings = slices.Clone(p.Bitmap), slices.Clone(p.Siblings)
		change(&p)
		raw(name, enc.Encode(p))
	}
	bad("another value", here, func(p *StateProof) { x := []byte("v8"); p.Value = &x })
	bad("another value and its terminal", here, func(p *StateProof) {
		x := []byte("v8")
		p.Value, p.Terminal = &x, &Terminal{KeyHash: p.Terminal.KeyHash, ValueHash: leafOf("k7", "v8").value}
	})
	bad("an empty value", here, func(p *StateProof) { p.Value = &[]byte{} })
	bad("another key", here, func(p *StateProof) { p.Key = []byte("k8") })
	bad("an empty key", here, func(p *StateProof) { p.Key = nil })
	bad("presence without a terminal", here, func(p *StateProof) { p.Terminal = nil })
	bad("presence turned into absence", here, func(p *StateProof) { p.Value = nil })
	bad("absence at a leaf turned into presence", atLeaf, func(p *StateProof) { x := []byte("v7"); p.Value = &x })
	bad("absence at a leaf that is elsewhere", atLeaf, func(p *StateProof) { p.Key = []byte("absent elsewhere") })
	bad("absence of a key that is there", atEmpty, func(p *StateProof) { p.Key = []byte("k7") })
	bad("no bitmap", here, func(p *StateProof) { p.Bitmap = nil })
	bad("a bitmap without its end", here, func(p *StateProof) { p.Bitmap = append(p.Bitmap, 0) })
	bad("a depth of 257", here, func(p *StateProof) { p.Bitmap = append(make([]byte, 32), 2) })
	bad("an unused sibling", here, func(p *StateProof) { p.Siblings = append(p.Siblings, [32]byte{1}) })
	bad("a sibling too few", here, func(p *StateProof) { p.Siblings = p.Siblings[1:] })
	bad("an empty bit at the terminal", here, func(p *StateProof) { p.Bitmap = shiftBits(p.Bitmap) })
	bad("an empty bit at the root", here, func(p *StateProof) {
		last := &p.Bitmap[len(p.Bitmap)-1]
		top := byte(1) << highBit(*last)
		*last = *last&^top | top<<1
	})
	bad("a sibling of zeros", deep, func(p *StateProof) { p.Siblings[0] = [32]byte{} })
	bad("siblings in another order", deep, func(p *StateProof) { slices.Reverse(p.Siblings) })
	bad("a changed sibling", deep, func(p *StateProof) { p.Siblings[1][31] ^= 1 })
	b := enc.Encode(here)
	raw("a trailing byte", append(slices.Clone(b), 0))
	raw("cut short", b[:len(b)-1])
	raw("an element too few", append([]byte{0x84}, b[1:len(b)-1]...))
	raw("no bytes", nil)
	return v
}

func leafOf(k, v string) leaf {
	ops, _ := toOps([]KV{kv(k, v)})
	return ops[0].leaf
}

func decimal(x uint64) string { return strconv.FormatUint(x, 10) }

func makeSumVectors(t *testing.T) sumVectors {
	v := sumVectors{
		About: "Merkle-sum trees. valid_leaves: proof is the encoding of [index, sum, body, path of [sum, hash] from the leaf upwards]; before is the sum of " +
			"all leaves before it. valid_ranges: proof is the encoding of [leaf before or null, first leaf, last leaf or null if it is the first, leaf " +
			"after or null]. tree is the number of the tree in trees. Sums are decimal strings. invalid_ranges must be refused with the error.",
		Clauses: []string{"RCP-02", "PAY-05"},
	}
	large := []SumLeaf{{Sum: 1 << 62, Body: []byte("a")}, {Sum: 1<<62 - 1, Body: []byte("b")}}
	over := []SumLeaf{{Sum: 1 << 62, Body: []byte("a")}, {Sum: 1 << 62, Body: []byte("b")}}
	trees := [][]SumLeaf{nil, testSums(1), testSums(2), testSums(3), testSums(9), large, over}
	const nine = 4
	for _, leaves := range trees {
		c := sumTreeVec{Leaves: []sumLeafVec{}}
		for _, l := range leaves {
			c.Leaves = append(c.Leaves, sumLeafVec{decimal(l.Sum), l.Body})
		}
		if r, err := SumTree(leaves); err != nil {
			c.Error = class(err)
		} else {
			c.Root = &sumRootVec{r.Hash[:], decimal(r.Sum), r.Count}
		}
		v.Trees = append(v.Trees, c)
	}
	for _, c := range []struct{ tree, leaf int }{{1, 0}, {2, 1}, {3, 2}, {nine, 0}, {nine, 5}, {nine, 8}, {5, 1}} {
		p, err := ProveSum(trees[c.tree], uint64(c.leaf))
		if err != nil {
			t.Fatal(err)
		}
		before, err := p.Verify(sumTree(t, trees[c.tree]))
		if err != nil {
			t.Fatal(err)
		}
		v.Leaves = append(v.Leaves, sumVec{Name: fmt.Sprintf("leaf %d", c.leaf), Tree: c.tree, Proof: enc.Encode(p), Before: decimal(before)})
	}
	for _, c := range []struct{ tree, first, last int }{{1, 0, 0}, {2, 0, 1}, {nine, 0, 8}, {nine, 3, 5}, {nine, 4, 4}, {nine, 8, 8}} {
		r, err := ProveSumRange(trees[c.tree], uint64(c.first), uint64(c.last))
		if err != nil {
			t.Fatal(err)
		}
		before, amount, err := r.Verify(sumTree(t, trees[c.tree]))
		if err != nil {
			t.Fatal(err)
		}
		v.Ranges = append(v.Ranges, sumVec{Name: fmt.Sprintf("leaves %d to %d", c.first, c.last), Tree: c.tree, Proof: enc.Encode(r),
			Before: decimal(before), Amount: decimal(amount)})
	}
	root := sumTree(t, trees[nine])
	bad := func(name string, change func(r *SumRange)) {
		r, err := ProveSumRange(trees[nine], 3, 5)
		if err != nil {
			t.Fatal(err)
		}
		change(&r)
		_, _, err = r.Verify(root)
		v.Invalid = append(v.Invalid, sumVec{Name: name, Tree: nine, Proof: enc.Encode(r), Error: class(err)})
	}
	bad("another amount", func(r *SumRange) { r.First.Sum++ })
	bad("another body", func(r *SumRange) { r.Last.Body = []byte("line 6") })
	bad("another index", func(r *SumRange) { r.Last.Index = 4 })
	bad("an index at the end", func(r *SumRange) { r.Last.Index = 9 })
	bad("no leaf before", func(r *SumRange) { r.Before = nil })
	bad("no leaf after", func(r *SumRange) { r.After = nil })
	bad("a leaf before that does not touch", func(r *SumRange) { *r.Before, _ = ProveSum(trees[nine], 1) })
	bad("a leaf after that does not touch", func(r *SumRange) { *r.After, _ = ProveSum(trees[nine], 7) })
	bad("last before first", func(r *SumRange) { r.First, *r.Last = *r.Last, r.First })
	bad("one leaf as first and last", func(r *SumRange) { *r.Last = r.First })
	bad("a path too short", func(r *SumRange) { r.First.Path = r.First.Path[1:] })
	bad("a path too long", func(r *SumRange) { r.First.Path = append(r.First.Path, SumNode{}) })
	bad("another sum of a sibling", func(r *SumRange) { r.First.Path[1].Sum-- })
	bad("a sibling of 2^63", func(r *SumRange) { r.First.Path[0].Sum = MaxSum })
	bad("another hash of a sibling", func(r *SumRange) { r.First.Path[0].Hash[0] ^= 1 })
	bad("another leaf before", func(r *SumRange) { r.Before.Body = []byte("line 9") })
	return v
}

func TestVectorsAreReproduced(t *testing.T) {
	for name, v := range map[string]any{
		"tree.json": makeTreeVectors(t), "proof.json": makeProofVectors(t), "sumtree.json": makeSumVectors(t),
	} {
		got, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		if bytes.Contains(got, []byte("unknown: ")) {
			t.Errorf("%s has an error without a class:\n%s", name, got)
		}
		path := filepath.Join(vectorDir, name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from what this package computes (error %v)", name, err)
		}
	}
}

// TestVectorsAgreeWithPython checks the vectors with a second implementation.
func TestVectorsAgreeWithPython(t *testing.T) {
	out, err := exec.Command("python3", filepath.Join(vectorDir, "merkle_check.py")).CombinedOutput()
	if err != nil {
		t.Fatalf("tests need python3: %v\n%s", err, out)
	}
}

// TestFuzzCorpus writes the committed seeds of the fuzz targets from vectors.
func TestFuzzCorpus(t *testing.T) {
	seeds := map[string][][]byte{"FuzzStateProof": {}, "FuzzSumRange": {}, "FuzzSumProof": {}}
	for _, c := range slices.Concat(makeProofVectors(t).Valid, makeProofVectors(t).Invalid) {
		seeds["FuzzStateProof"] = append(seeds["FuzzStateProof"], c.Proof)
	}
	sums := makeSumVectors(t)
	for _, c := range slices.Concat(sums.Ranges, sums.Invalid) {
		seeds["FuzzSumRange"] = append(seeds["FuzzSumRange"], c.Proof)
	}
	for _, c := range sums.Leaves {
		seeds["FuzzSumProof"] = append(seeds["FuzzSumProof"], c.Proof)
	}
	for target, bs := range seeds {
		dir := filepath.Join("testdata", "fuzz", target)
		if *update {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			for i, b := range bs {
				seed := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", b)
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("vector-%02d", i)), []byte(seed), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) < len(bs) {
			t.Errorf("%s has %d seeds of %d, error %v", target, len(files), len(bs), err)
		}
	}
}
