// SPDX-License-Identifier: Apache-2.0

package events_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/events"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/rpc/api"
)

func grown(t testing.TB, blocks int) (*chaintest.World, *chain.Chain, *events.Log) {
	w := chaintest.New(t, 1, 3)
	c := w.Open(store.OpenMemory())
	w.Grow(c, blocks)
	return w, c, events.New(c)
}

func page(t testing.TB, l *events.Log, p api.EventsParams) api.ChainEvents {
	t.Helper()
	out, err := l.Events(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPagesOfAnySizeGiveEveryEventOnce reads the same events in pages of one, two,
// … and compares.
func TestPagesOfAnySizeGiveEveryEventOnce(t *testing.T) {
	_, c, l := grown(t, 9)
	all := page(t, l, api.EventsParams{Limit: 1_000})
	if n := len(all.Items); n != 14 || all.Items[0].Height != 1 || all.Items[n-1].Height != 9 {
		t.Fatalf("%d events up to height %d", n, all.Items[n-1].Height)
	}
	for size := 1; size < 5; size++ {
		var got []api.Event
		p := api.EventsParams{Limit: size}
		for {
			next := page(t, l, p)
			if len(next.Items) == 0 {
				break
			}
			got, p.From = append(got, next.Items...), next.Next
		}
		if len(got) != len(all.Items) {
			t.Fatalf("%d events in pages of %d, %d in one", len(got), size, len(all.Items))
		}
		for i := range got {
			if got[i].Height != all.Items[i].Height || got[i].Seq != all.Items[i].Seq || got[i].Name != all.Items[i].Name {
				t.Fatalf("event %d is %+v in pages of %d, %+v in one", i, got[i], size, all.Items[i])
			}
		}
	}
	if c.Head().Height != all.Next.Height {
		t.Fatalf("next is %+v", all.Next)
	}
}

func TestAPageHasOnlyWhatWasAskedFor(t *testing.T) {
	w, c, l := grown(t, 4)
	if _, err := c.Commit(w.Final(c, w.Transfer(2, 1, 1))); err != nil {
		t.Fatal(err)
	}
	me := w.Address(2)
	for _, e := range page(t, l, api.EventsParams{Account: &me}).Items {
		if e.Height != 5 {
			t.Fatalf("an event of another account: %+v", e)
		}
	}
	for _, e := range page(t, l, api.EventsParams{Topics: []string{"head"}}).Items {
		if e.Topic != "head" || e.Seq != 0 {
			t.Fatalf("another topic: %+v", e)
		}
	}
	got := page(t, l, api.EventsParams{Topics: []string{"task"}})
	if len(got.Items) != 0 || got.Next.Height != 5 {
		t.Fatalf("%d events, next %+v", len(got.Items), got.Next)
	}
}

func TestALongSearchGoesOnFromNext(t *testing.T) {
	_, _, l := grown(t, 1_100)
	p := api.EventsParams{Topics: []string{"task"}}
	first := page(t, l, p)
	if len(first.Items) != 0 || first.Next.Height != 999 {
		t.Fatalf("the first page ends at %+v", first.Next)
	}
	p.From = first.Next
	if second := page(t, l, p); second.Next.Height != 1_100 {
		t.Fatalf("the second page ends at %+v", second.Next)
	}
}

func TestWaitReturnsAtTheNextCommitOrWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c, l := grown(t, 1)
		if err := l.Wait(t.Context(), api.Cursor{}); err != nil {
			t.Fatal(err) // height 1 is there already
		}
		done := make(chan error, 1)
		go func() { done <- l.Wait(t.Context(), api.Cursor{Height: 1}) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("returned before a commit: %v", err)
		default:
		}
		w.Grow(c, 1)
		l.Committed(0, nil)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- l.Wait(ctx, api.Cursor{Height: 2}) }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	})
}

func TestEveryKindHasATopicThatClientsKnow(t *testing.T) {
	known := map[string]bool{"tx": true, "dataset": true, "model": true, "task": true, "check": true, "channel": true, "payout": true}
	for _, k := range tx.Kinds {
		if !known[events.Topic(k.Kind)] {
			t.Errorf("kind %v has topic %q", k.Kind, events.Topic(k.Kind))
		}
	}
}
