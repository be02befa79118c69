// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"
	"time"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/p2p/gossip"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/rpc/api"
)

func TestARepeatComesLaterAndLater(t *testing.T) {
	s := newAnnounced(store.OpenMemory().Local())
	now := time.Unix(1_000, 0)
	s.provide(tx.ID{1}, now)
	if got := s.due(now.Add(time.Second)); len(got) != 0 {
		t.Fatal("announced again at once")
	}
	var at []time.Duration
	for d := time.Duration(0); d < time.Hour; d += 5 * time.Second {
		if len(s.due(now.Add(d))) > 0 {
			at = append(at, d)
		}
	}
	if len(at) < 6 || at[0] != 25*time.Second || at[1] != 85*time.Second || at[len(at)-1]-at[len(at)-2] != 10*time.Minute {
		t.Fatalf("announced at %v", at)
	}
}

// TestAnEarlyAnnouncementIsNotPushedOutByAForgery: what was handed in here stays
// until its transaction is on the ledger.
func TestAnEarlyAnnouncementIsNotPushedOutByAForgery(t *testing.T) {
	s := newAnnounced(store.OpenMemory().Local())
	now := time.Unix(1_000, 0)
	mine := publish.Announcement{ID: tx.ID{1}, Kind: publish.KindModel}
	forged := mine
	forged.Key = keys.PublicKey{9}
	s.hold(early{a: mine, own: true, since: now})
	s.hold(early{a: forged, since: now})
	none := func(publish.Announcement) bool { return false }
	if len(s.ripe(none, now)) != 0 {
		t.Fatal("ripe before its object exists")
	}
	got := s.ripe(func(publish.Announcement) bool { return true }, now)
	if len(got) != 1 || !got[0].own || got[0].a.Key != mine.Key {
		t.Fatalf("%+v", got)
	}
	s.hold(early{a: forged, since: now})
	s.ripe(none, now.Add(earlyFor+time.Second))
	if len(s.early) != 0 {
		t.Fatal("kept for ever")
	}
}

// TestAnAnnouncementIsPassedOnWhenItIsNew feeds the validator of the manifest
// topic.
func TestAnAnnouncementIsPassedOnWhenItIsNew(t *testing.T) {
	w, cfg := alone(t)
	l := run(t, cfg)
	terms := genesis.CCBY4().ID()
	net := l.send(w.Sign(0, tx.Body{Nonce: 0, Payload: &tx.DatanetCreate{Name: "n", Terms: []tx.ID{terms}, StakeBase: 1}}))
	m, err := publish.Prepare("x.csv", []byte("1,2,0\n"), publish.Input{Name: "x", Terms: terms, Owner: w.Address(0)})
	if err != nil {
		t.Fatal(err)
	}
	upload := w.Sign(0, tx.Body{Nonce: 1, Payload: m.Upload(tx.ObjectID(net.TxID, tx.KindDatanetCreate, 0), 1)})
	id := tx.ObjectID(upload.ID(), tx.KindDatasetUpload, 0)
	now := l.clock.Wall()
	signed := func(key keys.PrivateKey, manifest []byte, at uint64) []byte {
		a := publish.Announce(w.ID, publish.KindDataset, id, manifest, []string{"/ip4/10.0.0.1/tcp/1/p2p/" + l.host.ID().String()}, key)
		a.TimeMS = at
		return a.Encode()
	}
	judge := func(b []byte) gossip.Verdict { return l.onManifest(t.Context(), peers.ID("p"), b) }
	owner, other := w.People[0], w.People[1]
	if got := judge(signed(owner, m.Encode(), now)); got != gossip.Ignore {
		t.Fatalf("before its transaction: %v", got)
	}
	l.send(upload)
	for ctx, kept := within(t), false; !kept; { // the node looks again at each block
		if _, kept = l.objects.get(w.ID, id); !kept && !pause(ctx, 10*time.Millisecond) {
			t.Fatal("what came early is forgotten")
		}
	}
	wrong := m
	wrong.Name = "y"
	tests := []struct {
		name string
		raw  []byte
		want gossip.Verdict
	}{
		{"the same again", signed(owner, m.Encode(), now), gossip.Ignore},
		{"a newer one too soon", signed(owner, m.Encode(), now+againAfter-1), gossip.Ignore},
		{"a newer one later", signed(owner, m.Encode(), now+againAfter), gossip.Accept},
		{"that one again", signed(owner, m.Encode(), now+againAfter), gossip.Ignore},
		{"one from the future", signed(owner, m.Encode(), now+10*maxFuture), gossip.Ignore},
		{"one of somebody else", signed(other, m.Encode(), now+2*againAfter-5_000), gossip.Ignore},
		{"another manifest", signed(owner, wrong.Encode(), now+maxFuture-1_000), gossip.Ignore},
		{"no announcement", []byte{1, 2, 3}, gossip.Reject},
	}
	for _, c := range tests {
		if got := judge(c.raw); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	l.objects.local.Delete(announcedKey(id), false)
	if got := judge(signed(other, m.Encode(), now)); got != gossip.Reject {
		t.Errorf("signed by somebody else: %v", got)
	}
	if got := judge(signed(owner, wrong.Encode(), now)); got != gossip.Reject {
		t.Errorf("another manifest: %v", got)
	}
	l.stop()
}

func TestHeightsBelieveWhatIsProvedAndNotWhatWasFoundFalse(t *testing.T) {
	h := newHeights()
	h.prove(7)
	h.prove(5)
	if h.top() != 7 {
		t.Fatalf("top %d", h.top())
	}
	if h.believed("a", 1<<60) != 1<<60 {
		t.Fatal("a claim counts until it is found false")
	}
	h.hadOnly("a", 9)
	if h.believed("a", 1<<60) != 9 || h.believed("a", 4) != 4 {
		t.Fatalf("believed %d", h.believed("a", 1<<60))
	}
	h.told("a")
	if h.believed("a", 12) != 12 {
		t.Fatal("a new claim does not count")
	}
}

func TestTheOutboxKnowsWhatToSendAgain(t *testing.T) {
	var o outbox
	start := time.Now()
	o.sent(tx.ID{1})
	if got := o.due(start.Add(-time.Second)); len(got) != 0 {
		t.Fatal("again at once")
	}
	if got := o.due(time.Now().Add(time.Second)); len(got) != 1 {
		t.Fatalf("%d due", len(got))
	}
	o.done(tx.ID{1})
	if got := o.due(time.Now().Add(time.Second)); len(got) != 0 {
		t.Fatal("again although it is done")
	}
}

func TestOnlyAHeaderWithItsOwnFinalizationIsTaken(t *testing.T) {
	w, cfg := alone(t)
	l := run(t, cfg)
	top := l.send(w.Transfer(0, 1, 1)).Height
	l.await(top)
	other := chaintest.NewAt(t, 1, 3, w.Doc.TimeMS)
	c := other.Open(store.OpenMemory())
	b := other.Final(c)
	up := *b.Header()
	up.Height = 1 << 40
	for name, raw := range map[string][]byte{
		"a height that the certificate does not prove": chain.EncodeHeaderCert(&up, b.Finalization, nil),
		"garbage": {1},
	} {
		if got := l.onFinal(t.Context(), "p", raw); got != gossip.Reject {
			t.Errorf("%s: %v", name, got)
		}
	}
	if l.lag() != 0 || l.heights.top() > top {
		t.Fatalf("lag %d", l.lag())
	}
	if _, err := l.AdminStop(t.Context(), api.Empty{}); err != nil {
		t.Fatal(err)
	}
	l.stop()
}
