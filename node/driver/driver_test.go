// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/ledger/tx"
)

// transfers makes count transfers of the network's people, in turns.
func (n *network) transfers(count int) (out []tx.Verified) {
	for i := range count {
		out = append(out, n.w.Transfer(i%len(n.w.People), (i+1)%len(n.w.People), 1))
	}
	return out
}

func TestFourValidatorsDecideTheSameBlocks(t *testing.T) {
	simulate(t, func(t *testing.T) {
		n := newNetwork(t, 4, 1)
		n.start()
		n.submit(n.transfers(40)...)
		for _, x := range n.nodes {
			if !x.await(3, 10*time.Second) {
				t.Fatalf("validator %d is at height %d", x.index, x.chain.Head().Height)
			}
		}
		n.stop()
		if n.agree() < 3 || n.included() != 40 {
			t.Fatalf("%d transactions in %d blocks", n.included(), n.agree())
		}
	})
}

func TestOneValidatorAloneMakesBlocks(t *testing.T) {
	simulate(t, func(t *testing.T) {
		n := newNetwork(t, 1, 1)
		n.start()
		n.submit(n.transfers(5)...)
		if !n.nodes[0].await(2, 5*time.Second) || n.included() != 5 {
			t.Fatalf("%d transactions", n.included())
		}
	})
}

// TestAnIdleNetworkMakesBlocksAtTheHeartbeatOnly also waits with a transaction
// that cannot be included: it wants no block either.
func TestAnIdleNetworkMakesBlocksAtTheHeartbeatOnly(t *testing.T) {
	simulate(t, func(t *testing.T) {
		n := newNetwork(t, 4, 1)
		n.start()
		n.submit(n.w.Sign(0, tx.Body{Nonce: 5, Payload: &tx.Transfer{To: n.w.Address(1), Amount: 1}}))
		time.Sleep(60 * time.Second)
		if h := n.nodes[0].chain.Head().Height; h < 6 || h > 14 {
			t.Fatalf("height %d after a minute of heartbeats of 5 s", h)
		}
	})
}

// TestNoTransactionIsIncludedTwice keeps the pool full while blocks are undecided:
// their transactions, and those of their ancestors, must not be taken again.
func TestNoTransactionIsIncludedTwice(t *testing.T) {
	simulate(t, func(t *testing.T) {
		n := newNetwork(t, 4, 3)
		n.delay = 40 * time.Millisecond
		n.start()
		const rounds, each = 40, 8
		for range rounds {
			n.submit(n.transfers(each)...)
			time.Sleep(25 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		n.stop()
		n.agree()
		if got := n.included(); got != rounds*each { // included reports every refused one
			t.Fatalf("%d of %d transactions included", got, rounds*each)
		}
	})
}

// TestUndecidedAncestorsKeepTheirTransactions holds all Finalize votes back for a
// while, so that many blocks stand undecided on each other, empty ones among them.
func TestUndecidedAncestorsKeepTheirTransactions(t *testing.T) {
	simulate(t, func(t *testing.T) {
		n := newNetwork(t, 4, 9)
		n.start()
		hold := func(on bool) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.drop = func(m *msg.Message) bool {
				return on && (m.Vote != nil && m.Vote.Kind == cert.Finalize || m.Cert != nil && m.Cert.Kind == cert.Finalization)
			}
		}
		for range 3 {
			hold(true)
			for range 10 {
				n.submit(n.transfers(4)...)
				time.Sleep(150 * time.Millisecond)
			}
			hold(false)
			time.Sleep(3 * time.Second)
		}
		time.Sleep(5 * time.Second)
		n.stop()
		n.agree()
		if got := n.included(); got != 120 {
			t.Fatalf("%d of 120 transactions included", got)
		}
	})
}

// TestAValidatorThatWasCutOffCatchesUp by sync, while the others go on.
func TestAValidatorThatWasCutOffCatchesUp(t *testing.T) {
	simulate(t, func(t *testing.T) {
		n := newNetwork(t, 4, 4)
		n.start()
		n.mu.Lock()
		n.cut = func(from, to int) bool { return from == 3 || to == 3 }
		n.mu.Unlock()
		for range 60 {
			n.submit(n.transfers(4)...)
			time.Sleep(100 * time.Millisecond)
		}
		if n.nodes[3].chain.Head().Height != 0 {
			t.Fatal("the network is not cut")
		}
		n.mu.Lock()
		n.cut = nil
		n.mu.Unlock()
		n.submit(n.transfers(4)...)
		target := int(n.nodes[0].chain.Head().Height)
		if target < 40 {
			t.Fatalf("three of four made %d blocks", target)
		}
		if !n.nodes[3].await(target, 10*time.Second) {
			t.Fatalf("height %d, the others had %d", n.nodes[3].chain.Head().Height, target)
		}
		n.stop()
		n.agree()
	})
}

// TestCrashesAndPowerLossNeverMakeAValidatorContradictItself crashes nodes at any
// write or sync of the log, takes what was not synced from log and database, loses
// messages, and looks at every signature that ever left (see network.record).
func TestCrashesAndPowerLossNeverMakeAValidatorContradictItself(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			simulate(t, func(t *testing.T) { crashes(t, seed) })
		})
	}
}

func crashes(t *testing.T, seed uint64) {
	n := newNetwork(t, 4, seed)
	n.loss = 0.05
	n.start()
	sent := 0
	for range 60 {
		n.submit(n.transfers(4)...)
		sent += 4
		var at, fuse, pause int
		n.random(func(r *rand.Rand) { at, fuse, pause = r.IntN(4), 1+r.IntN(30), r.IntN(300) })
		x := n.nodes[at]
		if x.up() != nil && pause%3 == 0 {
			x.disk.plan(fuse)
		}
		if pause%4 == 0 {
			n.nodes[pause%3].rotate()
		}
		time.Sleep(time.Duration(pause) * time.Millisecond)
		n.restart()
	}
	n.mu.Lock()
	n.loss = 0
	n.mu.Unlock()
	for _, x := range n.nodes {
		x.disk.plan(0)
	}
	time.Sleep(2 * time.Second)
	n.restart()
	target := int(n.nodes[0].chain.Head().Height) + 3
	for _, x := range n.nodes {
		if !x.await(target, 60*time.Second) {
			t.Fatalf("after healing validator %d is at height %d, not %d", x.index, x.chain.Head().Height, target)
		}
	}
	n.stop()
	n.agree()
}

// restart starts again every node whose machine has crashed; some of them have
// lost their power, others only their process.
func (n *network) restart() {
	for _, x := range n.nodes {
		if x.up() != nil {
			continue
		}
		power := false
		n.random(func(r *rand.Rand) { power = r.IntN(2) == 0 })
		if power {
			x.losePower()
		}
		x.start()
	}
}

// TestADeadValidatorIsNotWaitedFor stops one of four: once their streams to it are
// broken, its views cost the others no timeout (2Δ, one second).
func TestADeadValidatorIsNotWaitedFor(t *testing.T) {
	simulate(t, func(t *testing.T) {
		n := newNetwork(t, 4, 5)
		n.start()
		n.submit(n.transfers(4)...)
		if !n.nodes[0].await(2, 10*time.Second) {
			t.Fatal("no blocks")
		}
		n.nodes[3].stop()
		time.Sleep((linkStart + 2*workPoll) * time.Millisecond)
		for round := range 40 {
			target := int(n.nodes[0].chain.Head().Height) + 1
			n.nodes[0].pool.AddAll(n.transfers(4), true) // its own: no other validator has to close them
			n.nodes[0].up().Wake()
			if !n.nodes[0].await(target, 800*time.Millisecond) {
				t.Errorf("round %d: no block in 800 ms", round)
			}
			time.Sleep(20 * time.Millisecond)
		}
		n.stop()
		n.agree()
	})
}

// TestTheLogLetsGoOfWhatTheDatabaseHolds runs long enough for several segments.
func TestTheLogLetsGoOfWhatTheDatabaseHolds(t *testing.T) {
	simulate(t, func(t *testing.T) {
		n := newNetwork(t, 4, 6)
		n.start()
		for range 20 {
			n.submit(n.transfers(4)...)
			time.Sleep(300 * time.Millisecond)
			for _, x := range n.nodes {
				x.rotate()
			}
		}
		for _, x := range n.nodes {
			x.disk.mu.Lock()
			if len(x.disk.segs) > 3 || x.disk.last < 4 {
				t.Errorf("validator %d keeps %d of %d segments", x.index, len(x.disk.segs), x.disk.last)
			}
			x.disk.mu.Unlock()
		}
		for range 3 {
			for _, x := range n.nodes { // each alone, so that the others keep the blocks
				x.losePower()
				x.start()
				n.submit(n.transfers(2)...)
				time.Sleep(time.Second)
			}
		}
		n.stop()
		n.agree()
	})
}
