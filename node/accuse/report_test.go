// SPDX-License-Identifier: Apache-2.0

package accuse_test

import (
	"crypto/sha256"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/accuse"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/store"
)

// twice makes evidence of two Notarize by a validator.
func twice(t *testing.T, w *chaintest.World, epoch, view uint64, who int) []evidence.Evidence {
	t.Helper()
	vote := func(s string) *msg.Message {
		h := sha256.Sum256([]byte(s))
		return &msg.Message{Vote: msg.SignVote(w.ID, cert.Notarize, epoch, view, h[:], who, w.Votes[who])}
	}
	list := evidence.Pair(w.Set, vote("a"), vote("b"))
	if len(list) != 1 {
		t.Fatalf("%d pieces", len(list))
	}
	list[0].Conflict.Epoch = epoch
	return list
}

func next(t *testing.T, r *accuse.Reporter, c *chain.Chain) *tx.SlashEvidence {
	t.Helper()
	v, err := c.View()
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Next(v, c.Head().Height)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestWhatANodeFindsIsPunishedOnce: the payload convicts on a real chain, the
// reporter is paid, and the piece is done.
func TestWhatANodeFindsIsPunishedOnce(t *testing.T) {
	w := chaintest.New(t, 4, 2)
	c := w.Open(store.OpenMemory())
	w.Grow(c, 1)
	r := accuse.NewReporter(w.ID)
	if p := next(t, r, c); p != nil {
		t.Fatalf("nothing was found, and %x is sent", p.Evidence)
	}
	found := twice(t, w, 0, 5, 2)
	r.Add(found...)
	r.Add(twice(t, w, 0, 5, 2)...)
	if r.Waiting() != 1 {
		t.Fatalf("%d pieces wait", r.Waiting())
	}
	p := next(t, r, c)
	if p == nil || string(p.Evidence) != string(found[0].Encode()) {
		t.Fatalf("payload %v", p)
	}
	if again := next(t, r, c); again != nil {
		t.Fatal("sent again before it could have an effect")
	}
	b := w.Final(c, w.Sign(1, tx.Body{Payload: p}))
	if _, err := c.Commit(b); err != nil {
		t.Fatal(err)
	}
	receipts, err := c.Receipts(b.Header().Height)
	if err != nil || receipts[len(receipts)-1].Code != 0 {
		t.Fatalf("receipt %+v, %v", receipts[len(receipts)-1], err)
	}
	v, err := c.View()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := state.Load[state.Conviction](v, state.ConvictionKey(w.Set.Entry(2).Address)); err != nil || !ok {
		t.Fatalf("validator 2 is not convicted: %v", err)
	}
	w.Grow(c, 70)
	if p := next(t, r, c); p != nil || r.Waiting() != 0 {
		t.Errorf("%d pieces wait, %v is sent", r.Waiting(), p)
	}
}

func TestAReporterKeepsAndDrops(t *testing.T) {
	w := chaintest.New(t, 4, 2)
	c := w.Open(store.OpenMemory())
	w.Grow(c, 1)
	r := accuse.NewReporter(w.ID)
	forged := twice(t, w, 0, 5, 2)
	forged[0].Conflict.View++
	r.Add(forged...)
	r.Add(twice(t, w, 3, 5, 2)...)
	if p := next(t, r, c); p != nil || r.Waiting() != 1 {
		t.Errorf("forged evidence stays, or that of a later epoch goes: %d wait, %v is sent", r.Waiting(), p)
	}
	lost := twice(t, w, 0, 6, 1)
	r.Add(lost...)
	first := next(t, r, c)
	w.Grow(c, 64)
	if second := next(t, r, c); first == nil || second == nil || string(first.Evidence) != string(second.Evidence) {
		t.Error("a piece whose transaction was lost does not come again")
	}
	for view := uint64(10); view < 400; view++ {
		r.Add(twice(t, w, 0, view, 1)...)
	}
	if r.Waiting() != 256 {
		t.Errorf("%d pieces wait", r.Waiting())
	}
}
