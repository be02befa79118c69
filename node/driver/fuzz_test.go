// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"errors"
	"testing"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/clock"
)

// idle is a driver that does not run.
func idle(f *testing.F) (*Driver, *chaintest.World) {
	n := &network{t: f, w: chaintest.New(f, 4, 2)}
	x := newNode(n, 1)
	root, err := x.chain.Root()
	if err != nil {
		f.Fatal(err)
	}
	d, err := New(Config{Chain: x.chain, WAL: x.disk, Clock: clock.NewManual(chaintest.GenesisMS), Net: x,
		Core: consensus.Config{ChainID: n.w.ID, Set: n.w.Set, Key: n.w.Votes[1], Root: root, Params: consensus.LocalParams()}})
	if err != nil {
		f.Fatal(err)
	}
	return d, n.w
}

// FuzzDeliver takes any bytes from a validator's stream.
func FuzzDeliver(f *testing.F) {
	d, w := idle(f)
	f.Add(msg.SignVote(w.ID, 2, 0, 1, make([]byte, 32), 0, w.Votes[0]).Encode())
	f.Add(msg.NewBatch(w.ID, 0, 0, 1, [][]byte{w.Transfer(0, 1, 1).Bytes()}, w.Votes[0]).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := d.Deliver(b); err != nil && !errors.Is(err, msg.ErrMalformed) && !errors.Is(err, msg.ErrNotMember) {
			t.Fatalf("error without its class: %v", err)
		}
		for { // nobody runs the driver: make room again
			select {
			case m := <-d.raw:
				d.sort(m)
				continue
			case m := <-d.checks:
				_, _ = msg.Verify(w.Set, w.ID, m)
				continue
			case <-d.bodies:
				continue
			default:
			}
			return
		}
	})
}

// FuzzServe takes any bytes as a request for batches, and for certificates.
func FuzzServe(f *testing.F) {
	d, _ := idle(f)
	f.Add(enc.Encode(BatchRequest{Digests: [][32]byte{{1}}}))
	f.Add(enc.Encode(CertsRequest{From: 1, To: 9}))
	f.Add(enc.Encode(CertsRequest{Block: make([]byte, 32)}))
	done, cancel := context.WithCancel(context.Background())
	cancel()
	f.Fuzz(func(t *testing.T, req []byte) {
		if err := d.ServeBatches(req, func([]byte) error { return nil }); err != nil && !errors.Is(err, ErrRequest) {
			t.Fatalf("error without its class: %v", err)
		}
		if err := d.ServeCerts(done, req, func([]byte) error { return nil }); err != nil && !errors.Is(err, ErrRequest) && !errors.Is(err, context.Canceled) {
			t.Fatalf("error without its class: %v", err)
		}
	})
}
