// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"container/list"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/ledger/tx"
)

// Bounds of what is held. Batches that a known block names are never evicted;
// how many blocks are known is bounded by the core.
const (
	maxHeldBytes   = 64 << 20
	maxHeldBatches = 16_384
	keepDecided    = 64 // decided blocks whose batches can still be pulled
	maxOpen        = 64 // open batches of one author: twice its own bound, for decisions under way
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
	open   bool   // no final block has it: a leader may propose it
	since  uint64 // monotonic ms of its arrival
	weight uint64 // when it was last considered
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
	pool    Pool
	now     func() uint64
	limit   bounds
	most    int                       // bytes of encoded batches in a block
	accuse  func([]evidence.Evidence) // may be nil

	mu       sync.Mutex
	batches  map[[32]byte]*held
	arrival  *list.List // of *held, oldest first
	bytes    int
	need     map[[32]byte]int // how many known blocks name a digest, held or not
	blocks   map[header.Hash]*known
	decided  []header.Hash
	building [][32]byte     // batches of the block that is being built
	log      uint64         // generation of the write-ahead log, from 1
	open     map[uint64]int // open batches by author
	freed    []*held        // closed, and the pool was not told yet
}

func newBatchStore(cfg *Config) *batchStore {
	return &batchStore{chainID: cfg.Core.ChainID, set: cfg.Core.Set, verify: cfg.Verify, accuse: cfg.Accuse, pool: cfg.Pool, most: cfg.BlockBytes, now: cfg.Clock.Now, limit: bounds{maxHeldBytes, maxHeldBatches},
		batches: map[[32]byte]*held{}, arrival: list.New(), need: map[[32]byte]int{}, blocks: map[header.Hash]*known{}, log: 1, open: map[uint64]int{}}
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
		s.blame(m.Batch)
		return fmt.Errorf("%w of validator %d: %w", errBatch, m.Batch.Author, err)
	}
	s.keep(&held{digest: digest, batch: m.Batch, raw: m.Bytes(), txs: txs})
	return nil
}

// blame shows the author of a batch with a transaction that no state makes valid.
func (s *batchStore) blame(b *msg.Batch) {
	if s.accuse == nil {
		return
	}
	for i := range b.Txs {
		if _, err := s.verify(b.Txs[i : i+1]); err != nil {
			s.accuse(evidence.OfBatch(b, i))
			return
		}
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

// keep takes a checked batch in. It is open, a candidate for blocks, unless a
// final block has it or its author has too many open; its transactions are then
// held in the pool.
func (s *batchStore) keep(h *held) {
	h.since = s.now()
	s.pool.Hold(h.txs) // before a decision can release them
	s.mu.Lock()
	if !s.insert(h) {
		s.freed = append(s.freed, h)
	}
	s.flush()
}

// insert reports whether h is open now; the lock is held.
func (s *batchStore) insert(h *held) bool {
	if s.batches[h.digest] != nil {
		return false
	}
	s.batches[h.digest] = h
	h.at = s.arrival.PushBack(h)
	s.bytes += len(h.raw)
	if s.open[h.batch.Author] < maxOpen && !s.final(h.digest) {
		h.open = true
		s.open[h.batch.Author]++
	}
	for e := s.arrival.Front(); e != nil && (s.bytes > s.limit.bytes || len(s.batches) > s.limit.batches); {
		old := e.Value.(*held)
		e = e.Next()
		if old != h && s.need[old.digest] == 0 {
			s.drop(old)
		}
	}
	return h.open
}

// final reports whether one of the last decided blocks has the batch; the lock is
// held.
func (s *batchStore) final(digest [32]byte) bool {
	if s.need[digest] == 0 {
		return false
	}
	return slices.ContainsFunc(s.decided, func(b header.Hash) bool {
		k := s.blocks[b]
		return k != nil && slices.Contains(k.digests, digest)
	})
}

// shut ends that a batch is a candidate; the lock is held.
func (s *batchStore) shut(h *held) {
	if h.open {
		h.open = false
		s.open[h.batch.Author]--
		s.freed = append(s.freed, h)
	}
}

// flush unlocks and tells the pool of what was closed.
func (s *batchStore) flush() {
	freed := s.freed
	s.freed = nil
	s.mu.Unlock()
	for _, h := range freed {
		s.pool.Release(h.txs)
	}
}

// drop forgets a batch; the lock is held.
func (s *batchStore) drop(h *held) {
	s.shut(h)
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
// header, and that the encoded body is within block_bytes (CONS-26).
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
	return txs == h.Txs && uint64(len(digests)) == h.Batches && size <= s.most
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

// decide marks a block as final; its batches stay for peers that are slow.
func (s *batchStore) decide(block header.Hash) {
	s.mu.Lock()
	defer s.flush()
	k := s.blocks[block]
	if k == nil || k.decided {
		return
	}
	k.decided = true
	for _, d := range k.digests {
		if h := s.batches[d]; h != nil {
			s.shut(h)
		}
	}
	s.decided = append(s.decided, block)
	if len(s.decided) > keepDecided {
		s.forget(s.decided[0])
		s.decided = s.decided[1:]
	}
}

// discard forgets blocks that will never be final; decided ones stay. Their
// batches are candidates again.
func (s *batchStore) discard(blocks []header.Hash) {
	s.mu.Lock()
	defer s.flush()
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
