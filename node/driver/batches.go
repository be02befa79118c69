// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"container/list"
	"errors"
	"fmt"
	"sync"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
)

// Bounds of what is held. Batches that a known block names are never evicted;
// how many blocks are known is bounded by the core.
const (
	maxHeldBytes   = 64 << 20
	maxHeldBatches = 16_384
	keepDecided    = 64 // decided blocks whose batches can still be pulled
)

// bounds are how much is held of what no block names.
type bounds struct{ bytes, batches int }

var errBatch = errors.New("invalid batch")

// held is one checked batch.
type held struct {
	digest [32]byte
	batch  *msg.Batch
	raw    []byte
	txs    []tx.Verified
	logged uint64 // generation of the log in which it stands, 0 for none
	at     *list.Element
}

// known is one block whose batches matter.
type known struct {
	parent  header.Hash
	digests [][32]byte
	decided bool
}

// batchStore holds checked batches and which blocks name them. It is safe for
// concurrent use.
type batchStore struct {
	chainID [32]byte
	set     *valset.Set
	verify  func([][]byte) ([]tx.Verified, error)
	limit   bounds

	mu       sync.Mutex
	batches  map[[32]byte]*held
	arrival  *list.List // of *held, oldest first
	bytes    int
	need     map[[32]byte]int // how many known blocks name a digest, held or not
	blocks   map[header.Hash]*known
	decided  []header.Hash
	building [][32]byte // own batches of the block that is being built
	log      uint64     // generation of the write-ahead log, from 1
}

func newBatchStore(chainID [32]byte, set *valset.Set, verify func([][]byte) ([]tx.Verified, error)) *batchStore {
	return &batchStore{chainID: chainID, set: set, verify: verify, limit: bounds{maxHeldBytes, maxHeldBatches}, batches: map[[32]byte]*held{}, arrival: list.New(),
		need: map[[32]byte]int{}, blocks: map[header.Hash]*known{}, log: 1}
}

// add checks a batch and keeps it. Errors: errBatch, those of msg.Verify.
func (s *batchStore) add(m *msg.Message) error {
	v, err := msg.Verify(s.set, s.chainID, m)
	if err != nil {
		return err
	}
	digest := [32]byte(v.Hash())
	if s.has(digest) {
		return nil
	}
	txs, err := s.verify(m.Batch.Txs)
	if err != nil {
		return fmt.Errorf("%w of validator %d: %w", errBatch, m.Batch.Author, err)
	}
	s.keep(&held{digest: digest, batch: m.Batch, raw: m.Bytes(), txs: txs})
	return nil
}

// own keeps the batches that this node has just built, in place of those of its
// last build, until a block is known that names them.
func (s *batchStore) own(list []*held) {
	s.mu.Lock()
	old := s.building
	s.building = nil
	for _, h := range list {
		s.building = append(s.building, h.digest)
		s.need[h.digest]++
	}
	s.release(old, false)
	s.mu.Unlock()
	for _, h := range list {
		s.keep(h)
	}
}

// restore keeps a batch from the log; a damaged one is fetched again later.
func (s *batchStore) restore(raw []byte) {
	m, err := msg.Decode(raw)
	if err != nil || m.Batch == nil || s.add(m) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.batches[m.Batch.Digest(s.chainID)]; h != nil {
		h.logged = s.log
	}
}

func (s *batchStore) has(digest [32]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.batches[digest] != nil
}

func (s *batchStore) keep(h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.batches[h.digest] != nil {
		return
	}
	s.batches[h.digest] = h
	h.at = s.arrival.PushBack(h)
	s.bytes += len(h.raw)
	for e := s.arrival.Front(); e != nil && (s.bytes > s.limit.bytes || len(s.batches) > s.limit.batches); {
		old := e.Value.(*held)
		e = e.Next()
		if old != h && s.need[old.digest] == 0 {
			s.drop(old)
		}
	}
}

// drop forgets a batch; the lock is held.
func (s *batchStore) drop(h *held) {
	s.bytes -= len(h.raw)
	s.arrival.Remove(h.at)
	delete(s.batches, h.digest)
}

// note remembers that a block needs these batches. Repeating it does no harm.
func (s *batchStore) note(block header.Hash, h *header.Header, digests [][32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blocks[block] != nil {
		return
	}
	s.blocks[block] = &known{parent: h.Parent, digests: digests}
	for _, d := range digests {
		s.need[d]++
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

// valid checks the sums of a block whose batches are all held: the counts of its
// header, and that the encoded body fits one frame of blocks/1.
func (s *batchStore) valid(h *header.Header, digests [][32]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	txs, size := uint64(0), 0
	for _, d := range digests {
		b := s.batches[d]
		if b == nil {
			return false
		}
		txs, size = txs+uint64(len(b.txs)), size+len(b.raw)
	}
	return txs == h.Txs && uint64(len(digests)) == h.Batches && size <= maxBodyBytes
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

// toLog returns a batch that must be appended to the log before a block that
// names it; nil if it stands there. ok is false if it is not held.
func (s *batchStore) toLog(digest [32]byte) (raw []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.batches[digest]
	if b == nil || b.logged == s.log {
		return nil, b != nil
	}
	b.logged = s.log
	return b.raw, true
}

// relog lets every batch be logged once more: the segment that holds it may go.
func (s *batchStore) relog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log++
}

// nonces returns, for each sender with transactions in block or its undecided
// ancestors, the nonce after the highest of them.
func (s *batchStore) nonces(block header.Hash) map[keys.Address]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := map[keys.Address]uint64{}
	for k := s.blocks[block]; k != nil && !k.decided; k = s.blocks[k.parent] {
		for _, d := range k.digests {
			b := s.batches[d]
			if b == nil {
				continue
			}
			for _, t := range b.txs {
				a := t.Body().Sender
				next[a] = max(next[a], t.Body().Nonce+1)
			}
		}
	}
	return next
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

// discard forgets blocks that will never be final; decided ones stay.
func (s *batchStore) discard(blocks []header.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range blocks {
		if k := s.blocks[b]; k != nil && !k.decided {
			s.forget(b)
		}
	}
}

// forget releases the batches of a block: those of a decided one go at once,
// others when memory is needed, because another block may name them again. The
// lock is held.
func (s *batchStore) forget(block header.Hash) {
	k := s.blocks[block]
	if k == nil {
		return
	}
	delete(s.blocks, block)
	s.release(k.digests, k.decided)
}

// release takes back one need of each digest; gone drops what nobody needs. The
// lock is held.
func (s *batchStore) release(digests [][32]byte, gone bool) {
	for _, d := range digests {
		if s.need[d]--; s.need[d] > 0 {
			continue
		}
		delete(s.need, d)
		if b := s.batches[d]; b != nil && gone {
			s.drop(b)
		}
	}
}
