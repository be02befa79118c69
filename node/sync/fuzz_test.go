// SPDX-License-Identifier: Apache-2.0

package sync_test

import (
	"context"
	"errors"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/node/sync"
	"github.com/openledger/openledger/p2p/peers"
)

// oneFrame is a source with a peer that answers with the same bytes each time.
type oneFrame struct {
	frame []byte
	tries int
}

func (o *oneFrame) Peers() []peers.ID { return []peers.ID{"p"} }
func (o *oneFrame) Ask(_ context.Context, _ peers.ID, _ string, _ []byte, each func([]byte) error) error {
	if o.tries++; o.tries > 3 {
		return errors.New("enough")
	}
	return each(o.frame)
}
func (o *oneFrame) Ahead(uint64) bool        { return true }
func (o *oneFrame) Short(peers.ID, uint64)   {}
func (o *oneFrame) Punish(peers.ID, float64) {}

// FuzzAnswer takes any bytes as an answer: nothing but the true block is committed.
func FuzzAnswer(f *testing.F) {
	w, from := grown(f, 1)
	h, fin, err1 := from.Header(1)
	batches, err2 := from.Batches(1)
	if err := errors.Join(err1, err2); err != nil {
		f.Fatal(err)
	}
	f.Add(enc.Encode(sync.Block{Header: *h, Final: fin, Batches: batches}))
	f.Add(enc.Encode(sync.Block{Header: *h}))
	f.Fuzz(func(t *testing.T, b []byte) {
		w.T = t
		c := w.Open(store.OpenMemory())
		s := sync.New(sync.Config{Chain: c, Source: &oneFrame{frame: b}})
		err := s.Catchup(t.Context(), func(_ context.Context, list []*chain.Block) error {
			for _, b := range list {
				if _, err := c.Commit(b); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, sync.ErrLie) && !errors.Is(err, sync.ErrPeers) {
			t.Fatalf("error without its class: %v", err)
		}
		if got := c.Head(); got.Height > 1 || got.Height == 1 && got.HeaderHash != h.Hash() {
			t.Fatalf("height %d was made up", got.Height)
		}
	})
}

func FuzzServe(f *testing.F) {
	_, c := grown(f, 3)
	f.Add(enc.Encode(sync.Request{From: 1, Count: 64}))
	f.Add(enc.Encode(sync.Request{From: 1 << 63, Count: 64}))
	f.Fuzz(func(t *testing.T, req []byte) {
		n := 0
		err := sync.Serve(c, req, func([]byte) error { n++; return nil })
		if err != nil && !errors.Is(err, sync.ErrRequest) || n > 3 {
			t.Fatalf("%d blocks, %v", n, err)
		}
	})
}
