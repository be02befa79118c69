// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"testing"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/clock"
	"github.com/openledger/openledger/node/mempool"
	"github.com/openledger/openledger/node/store"
)

// shelf is a batch store with batches of one transaction each.
type shelf struct {
	*batchStore
	w *chaintest.World
}

func newShelf(t testing.TB, limit bounds) *shelf {
	w := chaintest.New(t, 4, 2)
	s := newBatchStore(&Config{Clock: clock.NewManual(0), Core: consensus.Config{ChainID: w.ID, Set: w.Set}, BlockBytes: 896 << 10, Pool: mempool.New(mempool.DefaultLimits(), w.Open(store.OpenMemory()).View, func() uint64 { return 0 }),
		Verify: func(raw [][]byte) ([]tx.Verified, error) { return ledger.VerifyTxs(w.ID, raw, nil) }})
	s.limit = limit
	return &shelf{s, w}
}

func (s *shelf) batch(seq uint64) (*msg.Message, [32]byte) {
	b := msg.NewBatch(s.w.ID, 0, 1, seq, [][]byte{s.w.Transfer(0, 1, 1).Bytes()}, s.w.Votes[1])
	m, err := msg.Decode(b.Encode())
	if err != nil {
		s.w.T.Fatal(err)
	}
	return m, b.Digest(s.w.ID)
}

func (s *shelf) mustAdd(m *msg.Message) {
	s.w.T.Helper()
	if err := s.add(m); err != nil {
		s.w.T.Fatal(err)
	}
}

// TestCONS26ABodyOfMoreThanBlockBytesIsNeitherProposedNorVotedFor fits the parameter
// to two of three batches, to the byte.
func TestCONS26ABodyOfMoreThanBlockBytesIsNeitherProposedNorVotedFor(t *testing.T) {
	s := newShelf(t, bounds{bytes: 1 << 20, batches: 100})
	var all [][32]byte
	s.most = 0
	for i := range uint64(3) {
		m, digest := s.batch(1 + i)
		s.mustAdd(m)
		all = append(all, digest)
		if i < 2 {
			s.most += len(s.raw(digest))
		}
	}
	of := func(n uint64) *header.Header { return &header.Header{Txs: n, Batches: n} }
	if got, txs, err := s.propose(header.Hash{7}, gapPatience); len(got) != 2 || txs != 2 || err != nil {
		t.Errorf("proposed %d batches, %v", len(got), err)
	}
	if !s.valid(of(2), all[:2]) || s.valid(of(3), all) {
		t.Errorf("two batches are valid: %v, three: %v", s.valid(of(2), all[:2]), s.valid(of(3), all))
	}
	s.most--
	if got, _, err := s.propose(header.Hash{7}, gapPatience); len(got) != 1 || err != nil || s.valid(of(2), all[:2]) {
		t.Errorf("a byte less: proposed %d batches, two are valid: %v", len(got), s.valid(of(2), all[:2]))
	}
}

// TestAFloodOfBatchesNeverTakesWhatABlockNeeds names a batch in a block before it
// arrives, then fills the store with others.
func TestAFloodOfBatchesNeverTakesWhatABlockNeeds(t *testing.T) {
	s := newShelf(t, bounds{bytes: 1 << 20, batches: 4})
	needed, digest := s.batch(1)
	own, ownDigest := s.batch(2)
	s.note(header.Hash{1}, &header.Header{}, [][32]byte{digest})
	s.mustAdd(own)
	if got, _, _ := s.propose(header.Hash{7}, gapPatience); len(got) != 1 || got[0] != ownDigest {
		t.Fatalf("proposed %x", got)
	}
	s.mustAdd(needed)
	for i := range uint64(20) {
		m, _ := s.batch(10 + i)
		s.mustAdd(m)
	}
	if len(s.batches) > 4 || s.missing([][32]byte{digest, ownDigest}) != nil {
		t.Fatalf("%d batches held, missing %x", len(s.batches), s.missing([][32]byte{digest, ownDigest}))
	}
	s.shut(s.batches[ownDigest])
	s.propose(header.Hash{7}, gapPatience) // the next build
	for i := range uint64(4) {
		m, _ := s.batch(40 + i)
		s.mustAdd(m)
	}
	if s.has(ownDigest) {
		t.Fatal("a batch of an abandoned build stays for ever")
	}
}

// TestABatchOfTwoBlocksStaysUntilBothAreGone decides one block and discards the
// other.
func TestABatchOfTwoBlocksStaysUntilBothAreGone(t *testing.T) {
	s := newShelf(t, bounds{bytes: 1 << 20, batches: 100})
	m, digest := s.batch(1)
	a, b := header.Hash{1}, header.Hash{2}
	s.note(a, &header.Header{}, [][32]byte{digest})
	s.note(b, &header.Header{}, [][32]byte{digest})
	s.note(b, &header.Header{}, [][32]byte{digest}) // again: no harm
	s.mustAdd(m)
	s.decide(a)
	s.discard([]header.Hash{a, b})
	if !s.has(digest) {
		t.Fatal("the decided block lost its batch")
	}
	for i := range byte(keepDecided) {
		h := header.Hash{9, i}
		s.note(h, &header.Header{}, nil)
		s.decide(h)
	}
	if s.has(digest) || len(s.need) != 0 || s.bytes != 0 {
		t.Fatalf("needs %v, %d bytes are left", s.need, s.bytes)
	}
}

func TestABatchIsLoggedOncePerSegment(t *testing.T) {
	s := newShelf(t, bounds{bytes: 1 << 20, batches: 100})
	m, digest := s.batch(1)
	if _, ok := s.toLog(digest); ok {
		t.Fatal("a batch that is not held can be logged")
	}
	s.restore(m.Bytes())
	if raw, ok := s.toLog(digest); raw != nil || !ok {
		t.Fatal("what was read from the log is logged again")
	}
	s.relog()
	if raw, _ := s.toLog(digest); raw == nil {
		t.Fatal("not logged in the new segment")
	}
	if raw, _ := s.toLog(digest); raw != nil {
		t.Fatal("logged twice in one segment")
	}
}

func TestABatchWithABadTransactionIsRefused(t *testing.T) {
	s := newShelf(t, bounds{bytes: 1 << 20, batches: 100})
	v := s.w.Transfer(0, 1, 1).Bytes()
	v[len(v)-1] ^= 1
	b := msg.NewBatch(s.w.ID, 0, 1, 1, [][]byte{v}, s.w.Votes[1])
	m, err := msg.Decode(b.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.add(m); err == nil || s.has(b.Digest(s.w.ID)) {
		t.Fatalf("taken: %v", err)
	}
	forged := *b
	forged.Author = 2
	m, err = msg.Decode(forged.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.add(m); err == nil {
		t.Fatal("a batch that its author did not sign was taken")
	}
}

func TestABlockMustHaveTheCountsOfItsHeader(t *testing.T) {
	s := newShelf(t, bounds{bytes: 1 << 20, batches: 100})
	m, digest := s.batch(1)
	s.mustAdd(m)
	tests := map[string]struct {
		h    header.Header
		list [][32]byte
		want bool
	}{
		"both right":             {header.Header{Batches: 1, Txs: 1}, [][32]byte{digest}, true},
		"too few transactions":   {header.Header{Batches: 1, Txs: 2}, [][32]byte{digest}, false},
		"too many transactions":  {header.Header{Batches: 1, Txs: 0}, [][32]byte{digest}, false},
		"another batch count":    {header.Header{Batches: 2, Txs: 1}, [][32]byte{digest}, false},
		"a batch that is absent": {header.Header{Batches: 1, Txs: 1}, [][32]byte{{1}}, false},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			if got := s.valid(&c.h, c.list); got != c.want {
				t.Fatalf("valid is %v", got)
			}
		})
	}
}
