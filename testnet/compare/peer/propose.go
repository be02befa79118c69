// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// PrepareProposal implements abci.Application: of what the mempool offers, in its
// order, all that is next in its sender's nonces, within the limits of a block. A
// flooding mempool gives no order between the transactions of one sender.
func (a *App) PrepareProposal(_ context.Context, r *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	view, err := a.view()
	if err != nil {
		return nil, err
	}
	params, err := state.GetParams(view)
	if err != nil {
		return nil, err
	}
	list, err := ledger.VerifyTxs(a.env.ChainID, r.Txs, a)
	if err != nil {
		return nil, err
	}
	p := picker{view: view, params: params, bytes: int(r.MaxTxBytes), next: map[keys.Address]uint64{}, early: map[slot]tx.Verified{}}
	for _, v := range list {
		if err := p.offer(v); err != nil {
			return nil, err
		}
	}
	return &abci.ResponsePrepareProposal{Txs: p.out}, nil
}

type slot struct {
	sender keys.Address
	nonce  uint64
}

// picker builds a block in nonce order.
type picker struct {
	view   state.View
	params state.Params
	bytes  int
	weight uint64
	next   map[keys.Address]uint64
	early  map[slot]tx.Verified
	out    [][]byte
}

func (p *picker) offer(v tx.Verified) error {
	b := v.Body()
	next, ok := p.next[b.Sender]
	if !ok {
		acc, err := state.GetAccount(p.view, b.Sender)
		if err != nil {
			return err
		}
		next = acc.Nonce
	}
	if b.Nonce > next {
		p.early[slot{b.Sender, b.Nonce}] = v
	}
	for b.Nonce == next && p.take(v) {
		next++
		if v, ok = p.early[slot{b.Sender, next}]; !ok {
			break
		}
		b = v.Body()
	}
	p.next[b.Sender] = next
	return nil
}

func (p *picker) take(v tx.Verified) bool {
	w := v.Weight(p.params.KindWeight)
	if p.weight+w > p.params.MaxBlockWeight || len(v.Bytes()) > p.bytes {
		return false
	}
	p.weight += w
	p.bytes -= len(v.Bytes())
	p.out = append(p.out, v.Bytes())
	return true
}
