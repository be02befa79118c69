// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/openledger/openledger/internal/merkle"
)

// nodes is a tree in memory.
type nodes map[string][]byte

func (n nodes) Node(key []byte) ([]byte, error) {
	if v, ok := n[string(key)]; ok {
		return v, nil
	}
	return nil, errors.New("no such node")
}

// cutState makes the chunks of entries at a depth, and the root.
func cutState(t testing.TB, entries []merkle.KV, depth uint64) (chunks []Chunk, root [32]byte) {
	t.Helper()
	r, list, _, err := merkle.Update(nodes{}, merkle.StateRoot{}, 1, entries)
	if err != nil {
		t.Fatal(err)
	}
	tree := nodes{}
	for _, kv := range list {
		tree[string(kv.Key)] = kv.Value
	}
	chunks = make([]Chunk, merkle.Count(depth))
	for _, kv := range entries {
		i := merkle.PrefixOf(sha256.Sum256(kv.Key), depth).Index
		chunks[i].Entries = append(chunks[i].Entries, kv)
	}
	for i := range chunks {
		c := &chunks[i]
		c.Prefix = merkle.Prefix{Depth: depth, Index: uint64(i)}
		merkle.SortByHash(c.Entries)
		if c.Proof, err = merkle.ProveSubtree(tree, r, c.Prefix); err != nil {
			t.Fatal(err)
		}
	}
	return chunks, r.Hash
}

func entries(n int) (out []merkle.KV) {
	for i := range n {
		out = append(out, merkle.KV{Key: fmt.Appendf(nil, "key %d", i), Value: fmt.Appendf(nil, "value %d", i)})
	}
	return out
}

func TestSTA09AChunkIsCheckedAlone(t *testing.T) {
	for _, n := range []int{0, 1, 3, 50} {
		for depth := range uint64(3) {
			chunks, root := cutState(t, entries(n), depth)
			for i := range chunks {
				b := chunks[i].Encode()
				c, err := Decode(b)
				if err == nil {
					err = c.Verify(root)
				}
				if err != nil || !bytes.Equal(c.Encode(), b) || Name(b) != Name(c.Encode()) {
					t.Fatalf("%d entries, chunk %v: %v", n, chunks[i].Prefix, err)
				}
				if err := c.Verify([32]byte{1}); err == nil {
					t.Fatalf("%d entries, chunk %v holds under another root", n, c.Prefix)
				}
			}
		}
	}
}

// TestSTA09EveryFlippedBitIsNoticed damages each byte of a chunk.
func TestSTA09EveryFlippedBitIsNoticed(t *testing.T) {
	chunks, root := cutState(t, entries(40), 1)
	b := chunks[3].Encode()
	for i := range b {
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << bit
			if c, err := Decode(bad); err == nil && c.Verify(root) == nil {
				t.Fatalf("byte %d bit %d: accepted", i, bit)
			}
		}
	}
	for n := range b {
		if c, err := Decode(b[:n]); err == nil && c.Verify(root) == nil {
			t.Fatalf("cut to %d bytes: accepted", n)
		}
	}
	if _, err := Decode(append(b, 0)); !errors.Is(err, ErrChunk) {
		t.Errorf("a byte more: %v", err)
	}
	if _, err := Decode(make([]byte, MaxChunk+1)); !errors.Is(err, ErrChunk) {
		t.Errorf("a chunk above the bound: %v", err)
	}
}

func TestSTA09DepthIsTheLeastThatFits(t *testing.T) {
	entry := merkle.KV{Key: make([]byte, 32), Value: make([]byte, merkle.MaxValue)}
	spread := func(n int, prefix byte, mask byte) *Sizes {
		s := NewSizes()
		for i := range n {
			h := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
			h[0] = h[0]&^mask | prefix&mask
			s.Add(h, entry)
		}
		return s
	}
	for _, c := range []struct {
		name string
		s    *Sizes
		want uint64
	}{
		{"nothing", NewSizes(), 0},
		{"4 MiB and less", spread(60, 0, 0), 0},
		{"a little more than 4 MiB", spread(70, 0, 0), 1},
		{"64 MiB spread evenly", spread(900, 0, 0), 1},
		{"65 MiB", spread(1_100, 0, 0), 2},
		{"20 MiB under one first nibble", spread(320, 0x70, 0xf0), 2},
		{"17 MiB under two nibbles", spread(272, 0x77, 0xff), 3},
	} {
		if got, err := c.s.Depth(); err != nil || got != c.want {
			t.Errorf("%s (%d bytes): depth %d, want %d: %v", c.name, c.s.Total(), got, c.want, err)
		}
	}
	same := NewSizes()
	for range 300 {
		same.Add([32]byte{9}, entry)
	}
	if _, err := same.Depth(); !errors.Is(err, ErrSize) {
		t.Errorf("more than a chunk under the last prefix: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, n := range []int{0, 1, 9} {
		chunks, _ := cutState(f, entries(n), 1)
		for i := range chunks[:4] {
			f.Add(chunks[i].Encode())
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Encode(), b) {
			t.Errorf("%x decodes and encodes to %x", b, c.Encode())
		}
		if err := c.Verify([32]byte{}); err == nil && len(c.Entries) > 0 {
			t.Errorf("%x holds under the root of nothing", b)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	chunks, root := cutState(b, entries(50_000), 0)
	raw := chunks[0].Encode()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		c, err := Decode(raw)
		if err == nil {
			err = c.Verify(root)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
