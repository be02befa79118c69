// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/seals"
	"github.com/openledger/openledger/node/snapshot"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
	"github.com/openledger/openledger/rpc/api"
)

// askDeadline bounds an exchange of seals/1 and of snapshot/1.
const askDeadline = 20 * time.Second

// past is what a node keeps so that others, and it itself, can start in the middle
// of the chain: the seals of all epochs and the last snapshots.
type past struct {
	dir    string           // of the snapshots
	trust  seals.Checkpoint // what the operator trusts beside the genesis; height 0: nothing
	seals  *seals.Book
	shelf  *snapshot.Shelf
	wanted chan uint64 // height of the newest seal whose snapshot is not made yet
}

// openPast opens the seals and snapshots of the home.
func (n *Node) openPast() (err error) {
	n.past.dir = filepath.Join(n.cfg.Home, "snapshots")
	n.past.seals, n.past.wanted = seals.NewBook(n.store.Local()), make(chan uint64, 1)
	if t := n.cfg.Settings.Sync.Trust; t != "" {
		if n.past.trust, err = ParseTrust(t); err != nil {
			return fmt.Errorf("sync.trust: %w", err)
		}
	}
	if n.past.shelf, err = snapshot.Open(n.past.dir, n.chain, n.log); err != nil {
		return err
	}
	return n.lastSeal()
}

// lastSeal writes down the seal below the present epoch if a crash came between
// its commit and its record.
func (n *Node) lastSeal() error {
	epoch := n.chain.Set().Epoch()
	if epoch == 0 {
		return nil
	}
	if _, err := n.past.seals.Get(epoch - 1); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	start, err := n.chain.EpochStart()
	if errors.Is(err, store.ErrNotFound) {
		return nil // the ledger began with a snapshot above it
	}
	if err != nil {
		return err
	}
	_, fin, err := n.chain.Header(start.Header.Height)
	if err != nil {
		return err
	}
	carriers, err := n.chain.Carriers(start.Header.Height)
	if err != nil {
		return err
	}
	return n.keepSeal(&start.Header, fin, carriers)
}

// keepSeal writes down how an epoch has ended. The chain stands in the next one.
func (n *Node) keepSeal(h *header.Header, fin *cert.Certificate, carriers []header.Header) error {
	if fin == nil {
		return fmt.Errorf("seal of epoch %d has no finalization", h.Epoch)
	}
	return n.past.seals.Put(&cert.Seal{Header: *h, Proof: cert.FinalityProof{Finalization: *fin, Headers: carriers}, Next: n.chain.Set().Encode()})
}

// sealed runs after the commit of a seal.
func (n *Node) sealed(b *chain.Block) {
	if err := n.keepSeal(b.Header(), b.Finalization, b.Carriers); err != nil {
		n.log.Error("record of the epoch's end", "epoch", b.Header().Epoch, "err", err)
	}
	select {
	case <-n.past.wanted: // a newer one is wanted now
	default:
	}
	n.past.wanted <- b.Header().Height
}

// makeSnapshots writes the snapshot of each new seal until ctx ends. When seals
// come faster than that, some are left out.
func (n *Node) makeSnapshots(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case height := <-n.past.wanted:
			if err := n.past.shelf.Make(ctx, height); err != nil && ctx.Err() == nil {
				n.log.Warn("snapshot", "height", height, "err", err)
			}
		}
	}
}

// setOf returns the validator set of an epoch. Errors: store.ErrNotFound if the
// node does not know it.
func (n *Node) setOf(epoch uint64) (*valset.Set, error) {
	if now := n.chain.Set(); now.Epoch() == epoch {
		return now, nil
	}
	if epoch == genesis.Epoch {
		return n.cfg.Genesis.ValidatorSet()
	}
	s, err := n.past.seals.Get(epoch - 1)
	if err != nil {
		return nil, err
	}
	return valset.Decode(s.Next)
}

// pastProtocols are the streams by which others join (P2P-08).
func (n *Node) pastProtocols() []stream.Protocol {
	return []stream.Protocol{
		{Name: snapshot.Protocol, MaxFrame: 1 << 20, MaxReq: 1 << 10, Deadline: askDeadline, Rate: 16, Burst: 64,
			Handler: func(ctx context.Context, _ peers.ID, req []byte, send func([]byte) error) error {
				return n.past.shelf.Serve(ctx, req, send)
			}},
		{Name: seals.Protocol, MaxFrame: 1 << 20, MaxReq: 1 << 10, MaxTotal: 8 << 20, Deadline: askDeadline, Rate: 10, Burst: 64,
			Handler: func(_ context.Context, _ peers.ID, req []byte, send func([]byte) error) error {
				return n.past.seals.Serve(req, n.header, send)
			}},
	}
}

func (n *Node) header(height uint64) (*header.Header, error) {
	h, _, err := n.chain.Header(height)
	return h, err
}

// ChainSeals implements api.ChainBackend.
func (n *Node) ChainSeals(_ context.Context, p api.SealsParams) (api.ChainSeals, error) {
	if p.Count == 0 {
		p.Count = seals.MaxCount
	}
	list, err := n.past.seals.List(p.From, p.Count)
	out := api.ChainSeals{Items: []api.Seal{}}
	for _, s := range list {
		out.Items = append(out.Items, api.Seal{Epoch: s.Header.Epoch, Height: s.Header.Height, Hash: s.Header.Hash(),
			TimeMS: s.Header.TimeMS, Record: s.Encode()})
	}
	return out, clientError(err)
}
