// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"testing"
	"time"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
)

// hand gives transactions to one validator alone, as RPC does.
func (n *network) hand(to int, txs ...tx.Verified) {
	x := n.nodes[to]
	for _, err := range x.pool.AddAll(txs, true) {
		if err != nil {
			n.t.Error(err)
		}
	}
	x.up().Wake()
}

func TestATransactionHasOneHomeAndEveryOwnerGetsATurn(t *testing.T) {
	n := newNetwork(t, 4, 1)
	var owners [4]int
	for i := range 400 {
		sender := keys.Address{byte(i), byte(i >> 8), 7}
		seen := map[int]bool{}
		for turn := range uint64(4) {
			count := 0
			for self := range 4 {
				d := &Driver{cfg: Config{}, self: self}
				d.cfg.Core.Set = n.w.Set
				if d.mine(sender, turn*homeTurn+homeTurn/2) {
					count++
					seen[self] = true
					if turn == 0 {
						owners[self]++
					}
				}
			}
			if count != 1 {
				t.Fatalf("%d validators batch it in turn %d", count, turn)
			}
		}
		if len(seen) != 4 {
			t.Fatalf("only %v ever batch it", seen)
		}
	}
	for i, c := range owners {
		if c < 50 {
			t.Errorf("validator %d is home of %d of 400", i, c)
		}
	}
}

// TestWhatOneValidatorGotOthersPropose hands all transactions to one validator
// whose own proposals never arrive.
func TestWhatOneValidatorGotOthersPropose(t *testing.T) {
	simulate(t, func(t *testing.T) {
		n := newNetwork(t, 4, 2)
		n.drop = func(m *msg.Message) bool {
			return m.Proposal != nil && m.Proposal.Header.Leader == 2
		}
		n.start()
		for range 10 {
			n.hand(2, n.transfers(8)...)
			time.Sleep(200 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		n.stop()
		n.agree()
		if got := n.included(); got != 80 {
			t.Fatalf("%d of 80 transactions included", got)
		}
		for _, b := range n.nodes[0].blocks {
			if b.Header().Leader == 2 {
				t.Fatal("the silent leader led a block")
			}
		}
	})
}

// TestBatchesOfALostBlockAreProposedAgain drops every vote of some views, so that
// proposals are nullified after their batches were taken.
func TestBatchesOfALostBlockAreProposedAgain(t *testing.T) {
	simulate(t, func(t *testing.T) {
		n := newNetwork(t, 4, 5)
		n.drop = func(m *msg.Message) bool {
			return m.Vote != nil && m.Vote.Kind == cert.Notarize && m.Vote.View%3 == 1
		}
		n.start()
		for i := range 12 {
			n.hand(i%4, n.transfers(4)...)
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(20 * time.Second)
		n.stop()
		n.agree()
		if got := n.included(); got != 48 {
			t.Fatalf("%d of 48 transactions included", got)
		}
	})
}

// TestAGossipedTransactionOfADeadHomeIsBatchedByTheNext stops one validator; the
// senders that have it as home wait a turn, not for ever.
func TestAGossipedTransactionOfADeadHomeIsBatchedByTheNext(t *testing.T) {
	simulate(t, func(t *testing.T) {
		n := newNetwork(t, 4, 6)
		n.start()
		time.Sleep(time.Second)
		n.nodes[1].stop()
		n.submit(n.transfers(40)...)
		time.Sleep(15 * time.Second)
		n.stop()
		n.agree()
		if got := n.included(); got != 40 {
			t.Fatalf("%d of 40 transactions included", got)
		}
	})
}

// TestAnAuthorKeepsFewBatchesOpen floods one validator while nothing is decided:
// the rest waits in its pool, and comes later.
func TestAnAuthorKeepsFewBatchesOpen(t *testing.T) {
	simulate(t, func(t *testing.T) {
		n := newNetwork(t, 4, 7)
		n.start()
		n.mu.Lock()
		n.drop = func(m *msg.Message) bool { return m.Proposal != nil }
		n.mu.Unlock()
		for range 50 {
			n.hand(0, n.transfers(4)...)
			time.Sleep(30 * time.Millisecond)
		}
		if got := n.nodes[0].up().batches.opened(0); got != maxOwnOpen {
			t.Errorf("%d own batches are open", got)
		}
		if got := n.nodes[3].up().batches.opened(0); got != maxOwnOpen {
			t.Errorf("%d batches of validator 0 are open at another", got)
		}
		n.mu.Lock()
		n.drop = nil
		n.mu.Unlock()
		time.Sleep(30 * time.Second)
		n.stop()
		n.agree()
		if got := n.included(); got != 200 {
			t.Fatalf("%d of 200 transactions included", got)
		}
	})
}

// TestABatchThatCameAfterItsBlockIsNoCandidate and neither is one of too many of
// one author.
func TestABatchThatCameAfterItsBlockIsNoCandidate(t *testing.T) {
	s := newShelf(t, bounds{bytes: 1 << 20, batches: 1_000})
	m, digest := s.batch(1)
	block := header.Hash{1}
	s.note(block, &header.Header{}, [][32]byte{digest})
	s.decide(block)
	s.mustAdd(m)
	if got, _, _ := s.propose(header.Hash{2}, 0); len(got) != 0 || s.candidates() {
		t.Fatalf("proposed again: %x", got)
	}
	for i := range uint64(maxOpen + 10) {
		m, _ := s.batch(10 + i)
		s.mustAdd(m)
	}
	got, txs, _ := s.propose(header.Hash{2}, gapPatience)
	if len(got) != maxOpen || txs != maxOpen || s.opened(1) != maxOpen {
		t.Fatalf("%d of one author are open", len(got))
	}
	child := header.Hash{3}
	s.note(child, &header.Header{Parent: block}, got[:1])
	if next, _, _ := s.propose(child, gapPatience); len(next) != maxOpen-1 || next[0] != got[1] {
		t.Fatal("the batch of an undecided ancestor was taken again")
	}
	s.discard([]header.Hash{child})
	if next, _, _ := s.propose(block, gapPatience); len(next) != maxOpen || next[0] != got[0] {
		t.Fatal("the batch of a lost block is no candidate")
	}
}
