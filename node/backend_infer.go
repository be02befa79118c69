// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/serve"
	"github.com/openledger/openledger/node/settle"
	"github.com/openledger/openledger/rpc/api"
)

// InferModels implements api.InferBackend.
func (n *Node) InferModels(context.Context, api.Empty) (api.InferModels, error) {
	out := api.InferModels{Items: []api.Served{}}
	v, err := n.view()
	if err != nil {
		return out, err
	}
	offers, err := serve.OpenOffers(v, n.clock.Wall())
	if err != nil {
		return out, err
	}
	for _, o := range offers {
		m, err := state.GetModel(v, o.Value.Model)
		if err != nil {
			return out, err
		}
		t, err := state.GetTask(v, m.Task)
		if err != nil {
			return out, err
		}
		s := api.Served{Offer: o.ID, Model: o.Value.Model, Name: m.Name, Operator: o.Value.Operator, Price: o.Value.Ask + m.Royalty,
			Local: n.gateway != nil && n.gateway.Serves(settle.ID(o.ID))}
		if t.Spec.Train != nil {
			s.Features, s.Classes = t.Spec.Train.Features, t.Spec.Train.Classes
		}
		out.Items = append(out.Items, s)
	}
	return out, nil
}

// InferRun implements api.InferBackend. A node that does not serve the offer asks
// the operator's node.
func (n *Node) InferRun(ctx context.Context, p api.InferParams) (api.InferAnswer, error) {
	row := make([]byte, len(p.Features))
	for i, f := range p.Features {
		if f > 255 {
			return api.InferAnswer{}, api.BadParams("features", "numbers are 0 to 255")
		}
		row[i] = byte(f)
	}
	v, err := n.view()
	if err != nil {
		return api.InferAnswer{}, err
	}
	o, err := state.GetOffer(v, state.ID(p.Voucher.Voucher.Offer))
	if err != nil {
		return api.InferAnswer{}, clientError(err)
	}
	b, err := n.inferAsk(ctx, o.Operator, serve.Request{Kind: serve.AskAnswer, Voucher: &p.Voucher, Row: &row})
	if err != nil {
		return api.InferAnswer{}, err
	}
	var a settle.Answer
	if err := serve.DecodeBody(b, &a); err != nil {
		return api.InferAnswer{}, unreachable(o.Operator)
	}
	out := api.InferAnswer{Label: a.Label, Logits: a.Logits, Salt: api.Hash(a.Salt), Gross: a.Receipt.Receipt.Gross, Shares: []api.Share{}, Receipt: enc.Encode(a.Receipt)}
	for _, x := range a.Receipt.Receipt.Attr {
		out.Shares = append(out.Shares, api.Share{Owner: x.Owner, Weight: x.Weight})
	}
	return out, nil
}

// commitOperator says whose books a commit comes from.
func (n *Node) commitOperator(id api.Hash) (keys.Address, error) {
	v, err := n.view()
	if err != nil {
		return keys.Address{}, err
	}
	c, err := state.GetCommit(v, id)
	return c.Operator, clientError(err)
}

// PoaWhy implements api.InferBackend.
func (n *Node) PoaWhy(ctx context.Context, p api.WhyParams) (api.Why, error) {
	operator, err := n.commitOperator(p.Commit)
	if err != nil {
		return api.Why{}, err
	}
	id := settle.ID(p.Commit)
	b, err := n.inferAsk(ctx, operator, serve.Request{Kind: serve.AskWhy, Account: &p.Account, Object: &id})
	return api.Why{Statement: b}, err
}

// PoaClaim implements api.InferBackend.
func (n *Node) PoaClaim(ctx context.Context, p api.ClaimParams) (api.Claim, error) {
	operator, err := n.commitOperator(p.Commit)
	if err != nil {
		return api.Claim{}, err
	}
	id := settle.ID(p.Commit)
	b, err := n.inferAsk(ctx, operator, serve.Request{Kind: serve.AskClaim, Account: &p.Account, Object: &id})
	if err != nil {
		return api.Claim{}, err
	}
	var r serve.ClaimReply
	if err := serve.DecodeBody(b, &r); err != nil {
		return api.Claim{}, unreachable(operator)
	}
	fields, err := json.Marshal(r.Claim)
	return api.Claim{Amount: r.Amount, Fields: fields}, err
}

// Bounds of account_payouts.
const (
	maxAsked     = 64 // operators that are asked
	askedAtOnce  = 8
	askedTimeout = 5 * time.Second
)

// AccountPayouts implements api.ObjectBackend: what every operator's commits pay
// an account. Operators whose nodes do not answer are named.
func (n *Node) AccountPayouts(ctx context.Context, p api.AccountParams) (api.AccountPayouts, error) {
	out := api.AccountPayouts{Items: []api.Payout{}}
	v, err := n.view()
	if err != nil {
		return out, err
	}
	operators, err := committers(v)
	if err != nil {
		return out, err
	}
	for i, list := range n.owed(ctx, operators, p.Address) {
		if list == nil {
			out.Unreachable = append(out.Unreachable, operators[i])
			continue
		}
		for _, o := range list {
			item, ok, err := payoutOf(v, operators[i], o)
			if err != nil {
				return out, err
			}
			if !ok {
				continue
			}
			out.Items = append(out.Items, item)
			if item.Claimed {
				out.Claimed += item.Amount
			} else if item.Settled {
				out.Open += item.Amount
			}
		}
	}
	slices.SortStableFunc(out.Items, func(a, b api.Payout) int { return int(int64(a.Epoch) - int64(b.Epoch)) })
	return out, nil
}

// committers lists the operators with commits on the ledger.
func committers(v state.View) (out []keys.Address, err error) {
	const page = 1_000
	var after *state.ID
	for {
		list, err := state.ListCommits(v, after, page)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			if !slices.Contains(out, c.Value.Operator) && len(out) < maxAsked {
				out = append(out, c.Value.Operator)
			}
		}
		if len(list) < page {
			return out, nil
		}
		after = &list[len(list)-1].ID
	}
}

// owed asks operators what they owe an account; nil for one that did not answer.
func (n *Node) owed(ctx context.Context, operators []keys.Address, account keys.Address) [][]settle.Owed {
	ctx, cancel := context.WithTimeout(ctx, askedTimeout)
	defer cancel()
	out := make([][]settle.Owed, len(operators))
	slots := make(chan struct{}, askedAtOnce)
	var wg sync.WaitGroup
	for i, op := range operators {
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer func() { <-slots; wg.Done() }()
			b, err := n.inferAsk(ctx, op, serve.Request{Kind: serve.AskOwed, Account: &account})
			var r serve.OwedReply
			if err == nil && serve.DecodeBody(b, &r) == nil {
				out[i] = append([]settle.Owed{}, r.Items...)
			}
		}()
	}
	wg.Wait()
	return out
}

// payoutOf looks up on the ledger what an operator says it owes; false if there
// is no such commit of it.
func payoutOf(v state.View, operator keys.Address, o settle.Owed) (api.Payout, bool, error) {
	c, err := state.GetCommit(v, state.ID(o.Commit))
	if errors.Is(err, state.ErrUnknown) || err == nil && (c.Operator != operator || uint64(o.Amount) > c.Lines.Sum) {
		return api.Payout{}, false, nil
	}
	if err != nil {
		return api.Payout{}, false, err
	}
	word, _, err := state.Load[[32]byte](v, state.ClaimedKey(state.ID(o.Commit), o.First/256))
	return api.Payout{Commit: api.Hash(o.Commit), Offer: api.Hash(c.Offer), Operator: operator, Epoch: c.Epoch, Amount: o.Amount,
		Settled: c.Status == receipt.Settled, Claimed: word[o.First%256/8]>>(o.First%8)&1 == 1}, true, err
}

// lanesTimeout is how long channel_get waits for the payee's node.
const lanesTimeout = 2 * time.Second

// ChannelGet implements api.ObjectBackend: the lanes on the ledger, with the
// newest vouchers that the payee's node holds if it answers.
func (n *Node) ChannelGet(ctx context.Context, p api.IDParams) (api.ChannelView, error) {
	o, err := object(ctx, n, p, state.ChannelKey(p.ID), state.GetChannel)
	out := api.ChannelView{ID: o.ID, Value: o.Value, Lanes: []api.LaneView{}, Height: o.Height, Proof: o.Proof}
	if err != nil {
		return out, err
	}
	v, err := n.chain.ViewAt(o.Height)
	if err != nil {
		return out, err
	}
	clock, err := state.GetClock(v)
	if err != nil {
		return out, err
	}
	out.CTimeMS = clock.CTimeMS
	if out.Lanes, err = chainLanes(v, p.ID); err != nil {
		return out, err
	}
	ctx, cancel := context.WithTimeout(ctx, lanesTimeout)
	defer cancel()
	id := settle.ID(p.ID)
	b, err := n.inferAsk(ctx, o.Value.Payee, serve.Request{Kind: serve.AskLanes, Object: &id})
	var r serve.LanesReply
	if err != nil || serve.DecodeBody(b, &r) != nil {
		return out, nil // the ledger's part is still true
	}
	for _, s := range r.Vouchers {
		out.Lanes = heldLane(out.Lanes, o.Value, p.ID, s)
	}
	return out, nil
}

// chainLanes lists a channel's lanes on the ledger.
func chainLanes(v state.View, id api.Hash) ([]api.LaneView, error) {
	out := []api.LaneView{}
	prefix := state.LaneKey(id, state.ID{})[:2+len(id)]
	kvs, err := v.Scan(prefix, nil, channel.MaxLanes)
	if err != nil {
		return out, err
	}
	for _, kv := range kvs {
		var l channel.Lane
		if err := enc.Decode(kv.Value, &l); err != nil {
			return out, err
		}
		out = append(out, api.LaneView{Offer: api.Hash(kv.Key[len(prefix):]), Nonce: l.Nonce, Redeemed: l.Redeemed})
	}
	return out, nil
}

// heldLane adds a voucher that the payee's node says it holds. Whoever uses it
// checks its signature.
func heldLane(list []api.LaneView, c channel.Channel, id api.Hash, s channel.SignedVoucher) []api.LaneView {
	if s.Voucher.Channel != settle.ID(id) || s.Payer() != c.Payer || len(list) >= channel.MaxLanes {
		return list
	}
	for i := range list {
		if list[i].Offer == api.Hash(s.Voucher.Offer) {
			list[i].Newest = &s
			return list
		}
	}
	return append(list, api.LaneView{Offer: api.Hash(s.Voucher.Offer), Newest: &s})
}
