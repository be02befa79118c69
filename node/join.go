// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"path/filepath"
	"time"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/node/seals"
	"github.com/openledger/openledger/node/snapshot"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
	"github.com/openledger/openledger/rpc/api"
)

// askDeadline bounds an exchange of seals/1 and of snapshot/1.
const askDeadline = 20 * time.Second

// past is what a node keeps so that others, and it itself, can start in the middle
// of the chain: the seals of all epochs and the last snapshots.
type past struct {
	seals *seals.Book
	shelf *snapshot.Shelf
}

// openPast opens the seals and snapshots of the home.
func (n *Node) openPast() (err error) {
	n.past.seals = seals.NewBook(n.store.Local())
	n.past.shelf, err = snapshot.Open(filepath.Join(n.cfg.Home, "snapshots"), n.chain, n.log)
	return err
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
