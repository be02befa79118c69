// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"time"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/serve"
	"github.com/openledger/openledger/node/settle"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
	"github.com/openledger/openledger/rpc/api"
)

// openServe builds the books and the gateway of the node's operator.
func (n *Node) openServe() (err error) {
	if n.cfg.Operator.IsZero() {
		return nil
	}
	chainID := n.chain.Env().ChainID
	if n.till, err = settle.New(settle.Config{Services: services{n}, ChainID: chainID, Clock: n.clock, Redeems: n.redeems, Log: n.log}); err != nil {
		return err
	}
	n.gateway = serve.New(serve.Config{Services: services{n}, Till: n.till, Key: n.cfg.Operator, ChainID: chainID, Clock: n.clock, Log: n.log})
	return nil
}

const (
	settlePause = 250 * time.Millisecond // between two looks at the books
	settleTick  = time.Second            // without a block
)

// runTill looks after the books when a block comes, and once a second.
func (n *Node) runTill(ctx context.Context) {
	pause := time.NewTicker(settlePause)
	defer pause.Stop()
	for {
		_ = n.turn("settle", n.till.Run)(ctx) // logged there
		at := api.Cursor{Height: n.chain.Head().Height, Seq: ^uint64(0)}
		tick, cancel := context.WithTimeout(ctx, settleTick)
		_ = n.events.Wait(tick, at) // a block, or time to look again
		cancel()
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
	}
}

// redeems implements settle.Config.Redeems from the committed events.
func (n *Node) redeems(ctx context.Context, above uint64) (out []settle.Redeem, upTo uint64, err error) {
	head, me := n.chain.Head().Height, n.operator()
	from := api.Cursor{Height: above, Seq: ^uint64(0)}
	const page = 500
	for from.Height < head {
		list, err := n.events.Events(ctx, api.EventsParams{From: from, Topics: []string{"channel"}, Account: &me, Limit: page})
		if err != nil {
			return nil, above, err
		}
		for _, e := range list.Items {
			if e.Height > head {
				break
			}
			if r, ok := redeemOf(e, me); ok {
				out = addRedeem(out, r)
			}
		}
		if from = list.Next; len(list.Items) < page {
			break
		}
	}
	return out, max(above, head), nil
}

// redeemOf reads a redeem of an operator's lane out of an event.
func redeemOf(e api.Event, operator keys.Address) (settle.Redeem, bool) {
	if e.Name != "ChannelRedeem" || len(e.IDs) != 4 || len(e.Amounts) != 2 || keys.Address(e.IDs[2]) != operator {
		return settle.Redeem{}, false
	}
	return settle.Redeem{Height: e.Height, Channel: settle.ID(e.IDs[0]), Offer: settle.ID(e.IDs[1]), Delta: e.Amounts[0], Epoch: uint64(e.Amounts[1])}, true
}

// addRedeem joins redeems of one lane in one block.
func addRedeem(list []settle.Redeem, r settle.Redeem) []settle.Redeem {
	for i := len(list) - 1; i >= 0 && list[i].Height == r.Height; i-- {
		if list[i].Channel == r.Channel && list[i].Offer == r.Offer {
			list[i].Delta += r.Delta
			return list
		}
	}
	return append(list, r)
}

const inferDeadline = 20 * time.Second

// inferProtocol answers other nodes for their users.
func (n *Node) inferProtocol() stream.Protocol {
	return stream.Protocol{Name: serve.Protocol, MaxFrame: serve.MaxFrame, MaxReq: serve.MaxRequest, MaxTotal: serve.MaxReply,
		Deadline: inferDeadline, Rate: 200, Burst: 400, Handler: n.onInfer}
}

// onInfer answers one request of a peer from this node's own books.
func (n *Node) onInfer(ctx context.Context, _ peers.ID, req []byte, send func([]byte) error) error {
	r, err := serve.DecodeRequest(req)
	if err != nil {
		return err
	}
	b, err := n.inferLocal(ctx, r)
	reply := serve.Reply{Body: &b}
	if err != nil {
		reply = serve.Reply{Refusal: n.inferRefusal(err)}
	}
	out := reply.Encode()
	if len(out) > serve.MaxReply {
		reply = serve.Reply{Refusal: n.inferRefusal(api.Limit("the statement is too large", 0))}
		out = reply.Encode()
	}
	for len(out) > 0 {
		part := out[:min(len(out), serve.MaxFrame)]
		if err := send(part); err != nil {
			return err
		}
		out = out[len(part):]
	}
	return nil
}

// inferLocal answers a request as encoded body, or with an error for clientError.
func (n *Node) inferLocal(ctx context.Context, r serve.Request) ([]byte, error) {
	if n.gateway == nil {
		return nil, serve.ErrNotServed
	}
	switch r.Kind {
	case serve.AskAnswer:
		a, err := n.answerWhenKnown(ctx, *r.Voucher, *r.Row)
		return enc.Encode(a), err
	case serve.AskWhy:
		return n.whyLocal(*r.Object, *r.Account)
	case serve.AskClaim:
		c, amount, err := n.till.Claim(*r.Object, *r.Account)
		return enc.Encode(serve.ClaimReply{Claim: c, Amount: amount}), err
	case serve.AskOwed:
		list, err := n.till.Owed(*r.Account)
		return enc.Encode(serve.OwedReply{Items: list}), err
	case serve.AskLanes:
		list, err := n.till.Lanes(*r.Object)
		return enc.Encode(serve.LanesReply{Vouchers: list}), err
	}
	return nil, serve.ErrFrame
}

// catchUpWait is how long a request for an object that this node does not know
// waits for it: the asker may have seen a block that is still on its way here.
const catchUpWait = 5 * time.Second

// answerWhenKnown answers, waiting for the channel's block if need be.
func (n *Node) answerWhenKnown(ctx context.Context, v channel.SignedVoucher, row []byte) (settle.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, catchUpWait)
	defer cancel()
	for {
		at := api.Cursor{Height: n.chain.Head().Height}
		a, err := n.gateway.Answer(ctx, v, row)
		if !errors.Is(err, state.ErrUnknown) || n.events.Wait(ctx, at) != nil {
			return a, err
		}
	}
}

// whyLocal makes a statement under the newest certified header.
func (n *Node) whyLocal(commit settle.ID, account keys.Address) ([]byte, error) {
	height := n.chain.Head().Height
	if height == 0 {
		return nil, api.NotFinal("no block is final yet")
	}
	anchor, err := n.anchor(height)
	if err != nil {
		return nil, err
	}
	p, err := n.chain.Prove(height, state.CommitKey(commit))
	if err != nil {
		return nil, err
	}
	if !p.Present() {
		return nil, api.NotFound("epoch commit " + commit.String())
	}
	w, err := n.till.Why(commit, anchor, p, account)
	if err != nil {
		return nil, err
	}
	return w.Encode(), nil
}

// inferRefusal puts an error into the words of infer/1.
func (n *Node) inferRefusal(err error) *serve.Refusal {
	var known *api.Error
	if !errors.As(clientError(err), &known) {
		n.log.Error("infer/1 request failed", "err", err)
		known = &api.Error{Code: api.CodeInternal, Message: "internal error", Data: api.ErrorData{Code: "INTERNAL", Hint: "ask the operator"}}
	}
	return &serve.Refusal{Class: uint64(-known.Code), Code: known.Data.Code, Number: uint64(max(known.Data.Number, 0)),
		Message: known.Message, Hint: known.Data.Hint}
}

// inferAsk answers a request here if the operator is this node's, else it asks
// the operator's node. Errors: *api.Error.
func (n *Node) inferAsk(ctx context.Context, operator keys.Address, r serve.Request) ([]byte, error) {
	if n.gateway != nil && operator == n.operator() {
		b, err := n.inferLocal(ctx, r)
		return b, clientError(err)
	}
	v, err := n.view()
	if err != nil {
		return nil, err
	}
	op, err := state.GetOperator(v, operator)
	if err != nil {
		return nil, clientError(err)
	}
	var raw []byte
	err = n.host.Streams().RequestFrames(ctx, peers.ID(op.PeerID), serve.Protocol, r.Encode(), func(frame []byte) error {
		raw = append(raw, frame...)
		return nil
	})
	if errors.Is(err, stream.ErrBusy) {
		return nil, api.Busy("the node of operator "+operator.String()+" is busy", 250)
	}
	if err != nil {
		if ctx.Err() == nil {
			n.log.Debug("operator does not answer", "operator", operator, "err", err)
		}
		return nil, unreachable(operator)
	}
	reply, err := serve.DecodeReply(raw)
	if err != nil {
		return nil, unreachable(operator)
	}
	if f := reply.Refusal; f != nil {
		return nil, &api.Error{Code: -int(min(f.Class, 1<<16)), Message: f.Message,
			Data: api.ErrorData{Code: f.Code, Number: int(min(f.Number, 1<<16)), Hint: f.Hint}}
	}
	return *reply.Body, nil
}

func unreachable(operator keys.Address) *api.Error {
	return api.Service("OPERATOR_UNREACHABLE", "the node of operator "+operator.String()+" does not answer",
		"try again, or use another offer: openledger infer --list; what a voucher paid for is kept there")
}

// inferErrors are the refusals of node/serve and node/settle for clients.
var inferErrors = []struct {
	err        error
	code, hint string
}{
	{serve.ErrNotServed, "MODEL_UNAVAILABLE", "see who serves: openledger infer --list"},
	{serve.ErrLoading, "MODEL_LOADING", "try again in a moment"},
	{settle.ErrPrice, "VOUCHER_PRICE", "sign a voucher that adds at least the price: openledger channel show"},
	{settle.ErrNonce, "VOUCHER_OLD", "sign a voucher with a higher nonce: openledger channel show"},
	{settle.ErrSpent, "VOUCHER_SPENT", "sign a new voucher for a new request"},
	{settle.ErrEnding, "CHANNEL_ENDING", "open another channel: openledger channel open"},
	{channel.ErrSignature, "VOUCHER_SIGNATURE", "sign with the key that opened the channel"},
	{channel.ErrCumLow, "VOUCHER_REDEEMED", "sign a voucher that adds to what was redeemed: openledger channel show"},
	{channel.ErrCumOver, "CHANNEL_EMPTY", "open another channel: openledger channel open"},
	{channel.ErrLane, "CHANNEL_LANES", "open another channel: openledger channel open"},
	{channel.ErrExpired, "VOUCHER_EXPIRED", "sign a voucher that lasts as long as the channel"},
	{channel.ErrClosed, "CHANNEL_CLOSED", "open another channel: openledger channel open"},
	{channel.ErrChannel, "VOUCHER_CHANNEL", "sign a voucher of the channel that is named"},
	{channel.ErrFormat, "VOUCHER_FORMAT", "see GET /rpc for the fields of a voucher"},
}

// inferError maps an error of answers and books, nil if it is none.
func inferError(err error) *api.Error {
	switch {
	case errors.Is(err, serve.ErrBusy):
		return api.Busy("too many requests wait at the operator", 500)
	case errors.Is(err, serve.ErrRow):
		return api.BadParams("features", err.Error())
	case errors.Is(err, settle.ErrTooMany):
		return api.Limit(err.Error(), 0)
	case errors.Is(err, settle.ErrUnknown), errors.Is(err, receipt.ErrNone):
		e := api.NotFound("")
		e.Message = err.Error()
		return e
	}
	for _, e := range inferErrors {
		if errors.Is(err, e.err) {
			return api.Service(e.code, err.Error(), e.hint)
		}
	}
	return nil
}
