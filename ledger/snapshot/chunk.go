// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
)

// Format names the form of a chunk.
const Format = "openledger/snapshot/1"

// Bounds (CONS-48).
const (
	MaxDepth  = 4        // nibbles: 65,536 chunks
	MeanChunk = 4 << 20  // bytes of an average chunk, at most
	MaxChunk  = 16 << 20 // bytes of any chunk
	maxHead   = 1_024    // encoded head: at most 16 siblings
)

// Errors. ErrChunk groups what is wrong with the bytes on their face; a chunk that
// is well formed and false ends in merkle.ErrShape or merkle.ErrRoot.
var (
	ErrChunk = errors.New("malformed chunk")
	ErrSize  = errors.New("state too large for a snapshot")
)

// Chunk is all keys and values of one subtree, ascending by key hash, with the
// proof that there are no others.
type Chunk struct {
	Prefix  merkle.Prefix
	Entries []merkle.KV
	Proof   merkle.SubtreeProof
}

// head is what stands before the entries.
type head struct {
	_      struct{} `cbor:",toarray"`
	Format string
	Prefix merkle.Prefix
	Proof  merkle.SubtreeProof
	Count  uint64
}

// entryBytes is the length of an encoded entry.
func entryBytes(kv merkle.KV) int { return 1 + len(kv.Key) + 4 + len(kv.Value) }

// Encode returns the bytes of the chunk: u32 length of the head ‖ head ‖ per entry
// u8 length ‖ key ‖ u32 length ‖ value, integers big endian.
//
// Entries are not CBOR, because one array ends at 65,536 elements (ENC-02).
func (c *Chunk) Encode() []byte {
	h := enc.Encode(head{Format: Format, Prefix: c.Prefix, Proof: c.Proof, Count: uint64(len(c.Entries))})
	n := 4 + len(h)
	for _, kv := range c.Entries {
		n += entryBytes(kv)
	}
	b := append(binary.BigEndian.AppendUint32(make([]byte, 0, n), uint32(len(h))), h...)
	for _, kv := range c.Entries {
		b = append(append(b, byte(len(kv.Key))), kv.Key...)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(kv.Value))), kv.Value...)
	}
	return b
}

// Name returns the name of a chunk's bytes: their SHA2-256 multihash.
func Name(b []byte) content.ID { return content.SumSHA256(b) }

// Decode reads a chunk of at most MaxChunk bytes; keys and values share b. It
// accepts exactly what Encode writes and checks no hash: see Verify. Errors:
// ErrChunk.
func Decode(b []byte) (Chunk, error) {
	if len(b) > MaxChunk {
		return Chunk{}, fmt.Errorf("%w: %d bytes, at most %d", ErrChunk, len(b), MaxChunk)
	}
	raw, rest, ok := cut(b, 4)
	if !ok || len(raw) > maxHead {
		return Chunk{}, fmt.Errorf("%w: head", ErrChunk)
	}
	var h head
	if err := enc.Decode(raw, &h); err != nil {
		return Chunk{}, fmt.Errorf("%w: head: %w", ErrChunk, err)
	}
	if h.Format != Format || h.Prefix.Depth > MaxDepth || h.Prefix.Check() != nil || h.Count > uint64(len(rest)/7) {
		return Chunk{}, fmt.Errorf("%w: format %q, subtree %d at depth %d, %d entries", ErrChunk, h.Format, h.Prefix.Index, h.Prefix.Depth, h.Count)
	}
	c := Chunk{Prefix: h.Prefix, Proof: h.Proof, Entries: make([]merkle.KV, h.Count)}
	for i := range c.Entries {
		kv := &c.Entries[i]
		var ok1, ok2 bool
		kv.Key, rest, ok1 = cut(rest, 1)
		kv.Value, rest, ok2 = cut(rest, 4)
		if !ok1 || !ok2 || len(kv.Key) > merkle.MaxKey || len(kv.Value) > merkle.MaxValue {
			return Chunk{}, fmt.Errorf("%w: entry %d", ErrChunk, i)
		}
	}
	if len(rest) != 0 {
		return Chunk{}, fmt.Errorf("%w: %d bytes too many", ErrChunk, len(rest))
	}
	return c, nil
}

// cut reads a length of n bytes and as many bytes, at least one.
func cut(b []byte, n int) (field, rest []byte, ok bool) {
	if len(b) < n {
		return nil, nil, false
	}
	size := uint64(0)
	for _, x := range b[:n] {
		size = size<<8 | uint64(x)
	}
	b = b[n:]
	if size == 0 || size > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:size:size], b[size:], true
}

// Verify checks that the chunk is the whole content of its subtree under root.
// Errors: those of merkle.SubtreeProof.Verify. Cost: two hashes of the data.
func (c *Chunk) Verify(root [32]byte) error {
	return c.Proof.Verify(root, c.Prefix, c.Entries)
}

// Sizes counts the bytes of a state by subtree, to choose a depth. The zero value
// is not ready; see NewSizes. It is for one goroutine and holds 512 KiB.
type Sizes struct {
	bytes []uint64 // per prefix of MaxDepth
	total uint64
}

// NewSizes returns an empty count.
func NewSizes() *Sizes { return &Sizes{bytes: make([]uint64, merkle.Count(MaxDepth))} }

// Add counts one entry under its key hash.
func (s *Sizes) Add(keyHash [32]byte, kv merkle.KV) {
	n := uint64(entryBytes(kv))
	s.bytes[merkle.PrefixOf(keyHash, MaxDepth).Index] += n
	s.total += n
}

// Total returns the bytes of all entries.
func (s *Sizes) Total() uint64 { return s.total }

// Depth returns the least depth at which an average chunk has at most MeanChunk
// bytes and none has more than MaxChunk, so that nobody who picks keys by their
// hash makes a chunk that cannot travel. Errors: ErrSize.
func (s *Sizes) Depth() (uint64, error) {
	for d := range uint64(MaxDepth + 1) {
		if s.total/merkle.Count(d) <= MeanChunk && s.largest(d)+maxHead+4 <= MaxChunk {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%w: %d bytes", ErrSize, s.total)
}

// largest returns the bytes of the largest subtree of depth d.
func (s *Sizes) largest(d uint64) (most uint64) {
	per := len(s.bytes) / int(merkle.Count(d))
	for i := 0; i < len(s.bytes); i += per {
		sum := uint64(0)
		for _, n := range s.bytes[i : i+per] {
			sum += n
		}
		most = max(most, sum)
	}
	return most
}
