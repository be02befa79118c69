// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

func testLeaves(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = bytes.Repeat([]byte{byte(i)}, i%40)
	}
	return out
}

func TestListTreesEqualThoseOfTransparencyDev(t *testing.T) {
	h := rfc6962.DefaultHasher
	for n := range 140 {
		leaves := testLeaves(n)
		rf := compact.RangeFactory{Hash: h.HashChildren}
		r := rf.NewEmptyRange(0)
		for _, l := range leaves {
			if err := r.Append(h.HashLeaf(l), nil); err != nil {
				t.Fatal(err)
			}
		}
		want := h.EmptyRoot()
		if n > 0 {
			var err error
			if want, err = r.GetRootHash(nil); err != nil {
				t.Fatal(err)
			}
		}
		root := Root(leaves)
		if !bytes.Equal(root[:], want) {
			t.Fatalf("root of %d leaves is %x, want %x", n, root, want)
		}
		for i := range uint64(n) {
			path, err := Prove(leaves, i)
			if err != nil {
				t.Fatal(err)
			}
			var theirs [][]byte
			for _, p := range path {
				theirs = append(theirs, p[:])
			}
			if err := proof.VerifyInclusion(h, i, uint64(n), h.HashLeaf(leaves[i]), theirs, root[:]); err != nil {
				t.Fatalf("leaf %d of %d: %v", i, n, err)
			}
			if err := Verify(root, leaves[i], i, uint64(n), path); err != nil {
				t.Fatalf("leaf %d of %d: %v", i, n, err)
			}
		}
	}
}

// TestListProofsProveNothingElse tries every proof at every other place, and
// with its path changed.
func TestListProofsProveNothingElse(t *testing.T) {
	for n := uint64(1); n <= 20; n++ {
		leaves := testLeaves(int(n))
		root := Root(leaves)
		for i := range n {
			path, err := Prove(leaves, i)
			if err != nil {
				t.Fatal(err)
			}
			for j := range n {
				if j != i && Verify(root, leaves[i], j, n, path) == nil {
					t.Errorf("leaf %d of %d passes for leaf %d", i, n, j)
				}
			}
			for name, c := range map[string]struct {
				err  error
				want error
			}{
				"another leaf":    {Verify(root, []byte("other"), i, n, path), ErrRoot},
				"another root":    {Verify(sha256.Sum256(nil), leaves[i], i, n, path), ErrRoot},
				"a longer path":   {Verify(root, leaves[i], i, n, append(slices.Clone(path), root)), ErrShape},
				"an index at end": {Verify(root, leaves[i], n, n, path), ErrIndex},
				"no leaves":       {Verify(root, leaves[i], 0, 0, path), ErrIndex},
			} {
				if !errors.Is(c.err, c.want) {
					t.Errorf("leaf %d of %d, %s: %v, want %v", i, n, name, c.err, c.want)
				}
			}
			for k := range path {
				if err := Verify(root, leaves[i], i, n, path[:k]); !errors.Is(err, ErrShape) {
					t.Errorf("leaf %d of %d with %d of %d hashes: %v", i, n, k, len(path), err)
				}
				bad := slices.Clone(path)
				bad[k][k%32] ^= 1
				if err := Verify(root, leaves[i], i, n, bad); !errors.Is(err, ErrRoot) {
					t.Errorf("leaf %d of %d with hash %d changed: %v", i, n, k, err)
				}
			}
		}
	}
	if _, err := Prove(testLeaves(3), 3); !errors.Is(err, ErrIndex) {
		t.Errorf("proof of leaf 3 of 3: %v", err)
	}
}

func TestTheGreatestListHasPathsOf64Hashes(t *testing.T) {
	if n := len(sides(math.MaxUint64-1, math.MaxUint64)); n != 64 {
		t.Errorf("%d levels", n)
	}
	err := Verify([32]byte{}, nil, math.MaxUint64-1, math.MaxUint64, make([][32]byte, 64))
	if !errors.Is(err, ErrShape) && !errors.Is(err, ErrRoot) {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	leaves := testLeaves(11)
	root := Root(leaves)
	for _, i := range []uint64{0, 5, 10} {
		path, _ := Prove(leaves, i)
		f.Add(leaves[i], i, uint64(11), bytes.Join(toSlices(path), nil))
	}
	f.Fuzz(func(t *testing.T, leaf []byte, i, n uint64, raw []byte) {
		var path [][32]byte
		for len(raw) >= 32 {
			path, raw = append(path, [32]byte(raw)), raw[32:]
		}
		if Verify(root, leaf, i, n, path) != nil {
			return
		}
		// The count is not part of the hash: whoever gives the root answers for
		// it. With the right one, a leaf passes for itself only.
		if n != 11 {
			return
		}
		if i >= 11 || !bytes.Equal(leaf, leaves[i]) {
			t.Fatalf("accepted %x as leaf %d of %d", leaf, i, n)
		}
		want, _ := Prove(leaves, i)
		if fmt.Sprint(path) != fmt.Sprint(want) {
			t.Fatalf("accepted a second path of leaf %d", i)
		}
	})
}

func toSlices(hs [][32]byte) [][]byte {
	out := make([][]byte, len(hs))
	for i := range hs {
		out[i] = hs[i][:]
	}
	return out
}

func BenchmarkRoot(b *testing.B) {
	leaves := testLeaves(10_000)
	for b.Loop() {
		Root(leaves)
	}
}
