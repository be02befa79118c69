// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/proof"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/rpc/api"
)

// ChainHead implements api.ChainBackend.
func (n *Node) ChainHead(context.Context, api.Empty) (api.ChainHead, error) {
	head := n.chain.Head()
	v, err := n.view()
	if err != nil {
		return api.ChainHead{}, err
	}
	clock, err := state.GetClock(v)
	if err != nil {
		return api.ChainHead{}, err
	}
	return api.ChainHead{Height: head.Height, Hash: head.HeaderHash, TimeMS: clock.TimeMS, StateRoot: head.Root.Hash,
		Epoch: clock.Epoch}, nil
}

// ChainHeader implements api.ChainBackend.
func (n *Node) ChainHeader(_ context.Context, p api.HeightParams) (api.ChainHeader, error) {
	h, fin, err := n.chain.Header(p.Height)
	if err != nil {
		return api.ChainHeader{}, clientError(err)
	}
	out := api.ChainHeader{Height: h.Height, Hash: h.Hash(), Parent: h.Parent, View: h.View, Leader: h.Leader, TimeMS: h.TimeMS,
		StateRoot: h.StateRoot, Receipts: h.ReceiptsRoot, Signers: []int{}, Header: h.Encode()}
	if fin != nil {
		out.Certificate = fin.Encode()
		for i := range n.chain.Set().Len() {
			if fin.Has(i) {
				out.Signers = append(out.Signers, i)
			}
		}
	}
	return out, nil
}

// ChainBlock implements api.ChainBackend.
func (n *Node) ChainBlock(ctx context.Context, p api.HeightParams) (api.ChainBlock, error) {
	h, err := n.ChainHeader(ctx, p)
	if err != nil {
		return api.ChainBlock{}, err
	}
	out := api.ChainBlock{ChainHeader: h, Txs: []api.BlockTx{}}
	txs, err := n.blockTxs(p.Height)
	for _, s := range txs {
		out.Txs = append(out.Txs, api.BlockTx{TxID: s.Body.ID(n.chain.Env().ChainID), Kind: s.Body.Kind.String(), Sender: s.Body.Sender})
	}
	return out, clientError(err)
}

// ChainGenesis implements api.ChainBackend.
func (n *Node) ChainGenesis(context.Context, api.Empty) (api.ChainGenesis, error) {
	return api.ChainGenesis{Chain: n.chain.Env().ChainID, Bytes: n.cfg.Genesis.Encode(), JSON: string(n.cfg.Genesis.JSON())}, nil
}

// ChainParams implements api.ChainBackend.
func (n *Node) ChainParams(context.Context, api.Empty) (api.ChainParams, error) {
	v, err := n.view()
	if err != nil {
		return api.ChainParams{}, err
	}
	p, err := state.GetParams(v)
	if err != nil {
		return api.ChainParams{}, err
	}
	return api.ChainParams{Items: flatten("", p)}, nil
}

// ChainValidators implements api.ChainBackend.
func (n *Node) ChainValidators(context.Context, api.Empty) (api.ChainValidators, error) {
	set := n.chain.Set()
	out := api.ChainValidators{}
	for i := range set.Len() {
		e := set.Entry(i)
		out.Items = append(out.Items, api.Validator{Index: i, Address: e.Address, Key: e.Key.String(), Power: e.Power})
	}
	return out, nil
}

// ChainSupply implements api.ChainBackend: it counts every account.
func (n *Node) ChainSupply(context.Context, api.Empty) (api.ChainSupply, error) {
	height := n.chain.Head().Height
	v, err := n.chain.ViewAt(height)
	if err != nil {
		return api.ChainSupply{}, err
	}
	modules, err1 := state.GetSupply(v)
	counted, err2 := state.Recount(v)
	if err := errors.Join(err1, err2); err != nil {
		return api.ChainSupply{}, err
	}
	out := api.ChainSupply{Height: height, Total: state.Total, Free: counted, Modules: []api.Bucket{}}
	for _, m := range modules {
		if out.Free, err = fixed.Sub(out.Free, m.Amount); err != nil {
			return api.ChainSupply{}, err
		}
		out.Modules = append(out.Modules, api.Bucket{Name: m.Name, Amount: m.Amount})
	}
	out.Equal = counted == state.Total
	return out, nil
}

// ChainEvents implements api.ChainBackend.
func (n *Node) ChainEvents(ctx context.Context, p api.EventsParams) (api.ChainEvents, error) {
	out, err := n.events.Events(ctx, p)
	return out, clientError(err)
}

// ChainProof implements api.ChainBackend.
func (n *Node) ChainProof(_ context.Context, p api.ProofParams) (api.StateProof, error) {
	height := n.chain.Head().Height
	if height == 0 {
		return api.StateProof{}, api.NotFinal("no block is final yet")
	}
	return n.prove(height, p.Key)
}

// prove states what stands at key after height−1, under the certified header of
// height. Spec: RPC-05.
func (n *Node) prove(height uint64, key []byte) (api.StateProof, error) {
	anchor, err := n.anchor(height)
	if err != nil {
		return api.StateProof{}, err
	}
	path, err := n.chain.Prove(height, key)
	if err != nil {
		return api.StateProof{}, clientError(err)
	}
	st := proof.NewState(anchor, path)
	return api.StateProof{Height: height - 1, Key: key, Value: st.Value(), Statement: st.Encode()}, nil
}

// maxFinality bounds the headers between a block and the finalization that
// covers it.
const maxFinality = 64

// anchor returns the header of a height with proof that it is final.
func (n *Node) anchor(height uint64) (proof.Anchor, error) {
	h, fin, err := n.chain.Header(height)
	if err != nil {
		return proof.Anchor{}, clientError(err)
	}
	set, err := n.setOf(h.Epoch)
	if err != nil {
		return proof.Anchor{}, clientError(err)
	}
	links := []header.Header{}
	for up := height; fin == nil || len(links) == 0 || links[len(links)-1].Hash() != fin.Hash(); up++ {
		next, _, err := n.chain.Header(up)
		if errors.Is(err, store.ErrNotFound) || len(links) > maxFinality {
			return proof.Anchor{}, api.NotFinal(fmt.Sprintf("height %d has no finality proof yet", height))
		}
		if err != nil {
			return proof.Anchor{}, err
		}
		links = append(links, *next)
		if next.Kind == header.KindSeal { // the chain of this epoch goes on with carriers (CONS-40)
			carriers, err := n.chain.Carriers(up)
			if err != nil {
				return proof.Anchor{}, err
			}
			links = append(links, carriers...)
			break
		}
	}
	return proof.NewAnchor(*h, cert.FinalityProof{Finalization: *fin, Headers: links[1:]}, set), nil
}
