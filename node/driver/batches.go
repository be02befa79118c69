// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"errors"
	"fmt"
	"sync"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/ledger/tx"
)

const (
	maxHeldBytes = 64 << 20 // batches held, in bytes; the oldest unused go first
	keepDecided  = 64       // decided blocks whose batches can still be pulled
)

var errBatch = errors.New("invalid batch")

// held is one checked batch.
type held struct {
	batch  *msg.Batch
	raw    []byte
	txs    []tx.Verified
	logged bool // stands in the write-ahead log
	blocks int  // known undecided blocks that hold it
}

// known is one block whose batches matter.
type known struct {
	parent  header.Hash
	digests [][32]byte
	decided bool
}

// batchStore holds checked batches and which blocks need them. It is safe for
// concurrent use.
type batchStore struct {
	chainID [32]byte
	set     *valset.Set
	verify  func([][]byte) ([]tx.Verified, error)

	mu      sync.Mutex
	batches map[[32]byte]*held
	order   [][32]byte // arrival, for eviction
	bytes   int
	blocks  map[header.Hash]*known
	decided []header.Hash
}

func newBatchStore(chainID [32]byte, set *valset.Set, verify func([][]byte) ([]tx.Verified, error)) *batchStore {
	return &batchStore{chainID: chainID, set: set, verify: verify,
		batches: map[[32]byte]*held{}, blocks: map[header.Hash]*known{}}
}

// add checks a batch and keeps it.
func (s *batchStore) add(b *msg.Batch) error {
	digest := b.Digest(s.chainID)
	if s.has(digest) {
		return nil
	}
	m, err := msg.Decode(b.Encode())
	if err != nil {
		return err
	}
	if _, err := msg.Verify(s.set, s.chainID, m); err != nil {
		return err
	}
	txs, err := s.verify(b.Txs)
	if err != nil {
		return fmt.Errorf("%w of validator %d: %w", errBatch, b.Author, err)
	}
	s.keep(digest, &held{batch: b, raw: m.Bytes(), txs: txs})
	return nil
}

// own keeps a batch that this node has just built from checked transactions.
func (s *batchStore) own(b *msg.Batch, raw []byte) [32]byte {
	digest := b.Digest(s.chainID)
	if txs, err := s.verify(b.Txs); err == nil {
		s.keep(digest, &held{batch: b, raw: raw, txs: txs})
	}
	return digest
}

// restore keeps a batch from the log; a damaged one is fetched again later.
func (s *batchStore) restore(raw []byte) {
	m, err := msg.Decode(raw)
	if err != nil || m.Batch == nil {
		return
	}
	if s.add(m.Batch) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.batches[m.Batch.Digest(s.chainID)]; h != nil {
		h.logged = true
	}
}

func (s *batchStore) has(digest [32]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.batches[digest] != nil
}

func (s *batchStore) keep(digest [32]byte, h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.batches[digest] != nil {
		return
	}
	s.batches[digest] = h
	s.order = append(s.order, digest)
	s.bytes += len(h.raw)
	for i := 0; s.bytes > maxHeldBytes && i < len(s.order); {
		if old := s.batches[s.order[i]]; old.blocks == 0 && s.order[i] != digest {
			s.bytes -= len(old.raw)
			delete(s.batches, s.order[i])
			s.order = append(s.order[:i], s.order[i+1:]...)
			continue
		}
		i++
	}
}

// note remembers that a block needs these batches.
func (s *batchStore) note(block header.Hash, h *header.Header, digests [][32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blocks[block] != nil {
		return
	}
	s.blocks[block] = &known{parent: h.Parent, digests: digests}
	for _, d := range digests {
		if b := s.batches[d]; b != nil {
			b.blocks++
		}
	}
}

// missing returns the digests that are not held.
func (s *batchStore) missing(digests [][32]byte) (out [][32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range digests {
		if s.batches[d] == nil {
			out = append(out, d)
		}
	}
	return out
}

// body returns held batches and their transactions in order; ok is false if one
// is missing.
func (s *batchStore) body(digests [][32]byte) (batches []msg.Batch, txs []tx.Verified, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range digests {
		b := s.batches[d]
		if b == nil {
			return nil, nil, false
		}
		batches, txs = append(batches, *b.batch), append(txs, b.txs...)
	}
	return batches, txs, true
}

// valid checks the sums of a block whose batches are all held.
func (s *batchStore) valid(h *header.Header, digests [][32]byte) bool {
	batches, txs, ok := s.body(digests)
	size := 0
	for _, t := range txs {
		size += len(t.Bytes())
	}
	return ok && uint64(len(txs)) == h.Txs && uint64(len(batches)) == h.Batches && size <= maxBlockBytes
}

// raw returns one batch for a peer, nil if it is not held.
func (s *batchStore) raw(digest [32]byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.batches[digest]; b != nil {
		return b.raw
	}
	return nil
}

// toLog returns a batch that is not in the log yet and marks it as logged.
func (s *batchStore) toLog(digest [32]byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.batches[digest]
	if b == nil || b.logged {
		return nil
	}
	b.logged = true
	return b.raw
}

// takenBy returns the ids of the transactions in block and its undecided
// ancestors.
func (s *batchStore) takenBy(block header.Hash) map[[32]byte]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := map[[32]byte]struct{}{}
	for k := s.blocks[block]; k != nil && !k.decided; k = s.blocks[k.parent] {
		for _, d := range k.digests {
			b := s.batches[d]
			if b == nil {
				continue
			}
			for _, t := range b.txs {
				taken[t.ID()] = struct{}{}
			}
		}
	}
	return taken
}

// decide marks a block as final; its batches stay for peers that are slow.
func (s *batchStore) decide(block header.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.blocks[block]
	if k == nil || k.decided {
		return
	}
	k.decided = true
	s.decided = append(s.decided, block)
	if len(s.decided) > keepDecided {
		s.forget(s.decided[0])
		s.decided = s.decided[1:]
	}
}

// relog lets every batch be logged once more: the segment that holds it may go.
func (s *batchStore) relog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.batches {
		b.logged = false
	}
}

// drop forgets blocks that will never be final.
func (s *batchStore) drop(blocks []header.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range blocks {
		s.forget(b)
	}
}

// forget releases the batches of a block; they go when memory is needed, or at
// once if the block was decided. The lock is held.
func (s *batchStore) forget(block header.Hash) {
	k := s.blocks[block]
	if k == nil {
		return
	}
	delete(s.blocks, block)
	for _, d := range k.digests {
		b := s.batches[d]
		if b == nil {
			continue
		}
		b.blocks--
		if k.decided && b.blocks <= 0 {
			s.bytes -= len(b.raw)
			delete(s.batches, d)
			for i, o := range s.order {
				if o == d {
					s.order = append(s.order[:i], s.order[i+1:]...)
					break
				}
			}
		}
	}
}
