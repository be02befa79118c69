// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"testing"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/clock"
	"github.com/openledger/openledger/node/mempool"
)

// still is a driver that does not run, on a disk in memory.
func still(t *testing.T) (*Driver, *node) {
	n := &network{t: t, w: chaintest.New(t, 4, 2)}
	x := newNode(n, 1)
	root, err := x.chain.Root()
	if err != nil {
		t.Fatal(err)
	}
	pool := mempool.New(mempool.DefaultLimits(), x.chain.View, func() uint64 { return 0 })
	d, err := New(Config{Chain: x.chain, Pool: pool, WAL: x.disk, Clock: clock.NewManual(chaintest.GenesisMS), Net: x,
		Core: consensus.Config{ChainID: n.w.ID, Set: n.w.Set, Key: n.w.Votes[1], Root: root, Params: consensus.LocalParams()}})
	if err != nil {
		t.Fatal(err)
	}
	return d, x
}

func kinds(list []rec) (out []uint8) {
	for _, r := range list {
		out = append(out, r.kind)
	}
	return out
}

// propose records a block whose batch is held, as a vote for it would.
func propose(t *testing.T, d *Driver, x *node, b *chain.Block, view uint64) {
	t.Helper()
	h := *b.Header()
	h.View = view
	batch := &b.Verified.Block().Batches[0]
	digest := batch.Digest(x.n.w.ID)
	d.batches.keep(&held{digest: digest, batch: batch, raw: batch.Encode(), txs: b.Verified.Txs()})
	p := msg.SignProposal(h, [][32]byte{digest}, make([][]byte, view), x.n.w.Votes[1])
	for i := range p.Leaves {
		p.Leaves[i] = []byte{}
	}
	if err := d.append(consensus.Record{Kind: consensus.RecordBlock, View: view, Data: p.Encode()}); err != nil {
		t.Fatal(err)
	}
}

// TestALogSegmentGoesWhenACoreCanBeRootedAtOrAboveAllItsViews and not earlier, and
// a batch stands in each segment with a block that names it.
func TestALogSegmentGoesWhenACoreCanBeRootedAtOrAboveAllItsViews(t *testing.T) {
	d, x := still(t)
	w := x.n.w
	b := w.Child(w.Head(x.chain), 5, w.Transfer(0, 1, 1))
	propose(t, d, x, b, 5)
	if err := d.append(consensus.Record{Kind: consensus.RecordEnter, View: 7}); err != nil {
		t.Fatal(err)
	}
	d.appended = segmentBytes
	if err := d.trim(); err != nil {
		t.Fatal(err)
	}
	propose(t, d, x, b, 9) // another block of the same batch
	if got := kinds(x.disk.segs[2]); len(got) != 2 || got[0] != RecordBatch {
		t.Fatalf("the second segment holds records %v: the batch of the block is not among them", got)
	}
	for _, stable := range []uint64{0, 6} {
		d.stable.Store(stable)
		if err := d.trim(); err != nil || len(x.disk.segs[1]) != 3 {
			t.Fatalf("with a root at view %d the log of view 7 is gone: %v", stable, err)
		}
	}
	d.stable.Store(7)
	if err := d.trim(); err != nil || x.disk.segs[1] != nil || x.disk.segs[2] == nil {
		t.Fatalf("segments %v, %v", x.disk.segs, err)
	}
}

// TestABlockThatOnlyADescendantProvesReleasesNothing: no core can be rooted there.
func TestABlockThatOnlyADescendantProvesReleasesNothing(t *testing.T) {
	d, x := still(t)
	w := x.n.w
	a := w.Child(w.Head(x.chain), 1, w.Transfer(0, 1, 1))
	roots, err := x.chain.Execute(a)
	if err != nil {
		t.Fatal(err)
	}
	b := w.Child(chaintest.Parent{Header: *a.Header(), Roots: roots}, 2)
	if _, err := x.chain.Execute(b); err != nil {
		t.Fatal(err)
	}
	for i, blk := range []*chain.Block{a, b} {
		d.exec.unsynced = syncEvery
		if err := d.exec.decide(&consensus.Decision{Block: blk.Hash, Header: *blk.Header(), Finalization: w.Finalize(b)}); err != nil {
			t.Fatal(err)
		}
		if got := d.stable.Load(); got != uint64(2*i) {
			t.Fatalf("after height %d the log is spare up to view %d", i+1, got)
		}
	}
}

// TestABlockIsNeverRecordedWithoutItsBatches because the vote that follows says
// that the body survives a power loss.
func TestABlockIsNeverRecordedWithoutItsBatches(t *testing.T) {
	d, x := still(t)
	w := x.n.w
	b := w.Child(w.Head(x.chain), 1, w.Transfer(0, 1, 1))
	p := msg.SignProposal(*b.Header(), [][32]byte{b.Verified.Block().Batches[0].Digest(w.ID)}, [][]byte{{}}, w.Votes[1])
	if err := d.append(consensus.Record{Kind: consensus.RecordBlock, View: 1, Data: p.Encode()}); err == nil {
		t.Fatal("recorded")
	}
}
