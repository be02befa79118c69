// SPDX-License-Identifier: Apache-2.0

package pay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/node/serve"
	"github.com/openledger/openledger/rpc/api"
)

// Paid is a checked answer. Earlier is the answer to an earlier request whose
// reply was lost, if this call fetched it.
type Paid struct {
	Label   uint64
	Logits  []uint32
	Salt    api.Hash
	Price   fixed.Amount
	Channel api.Hash
	Row     []byte
	Receipt receipt.SignedReceipt
	Earlier *Paid
}

// Ask pays the price of an offer for the answer to a row. The voucher is on disk
// before it is sent.
//
// Errors: ErrNoChannel, ErrAnswer, *api.Error of the node or operator. After any
// error the same call may be made again; it pays at most once.
func (p *Payer) Ask(ctx context.Context, ch api.Hash, s api.Served, row []byte) (Paid, error) {
	b := p.purse(ch, s.Operator)
	leave, err := b.enter(ctx)
	if err != nil {
		return Paid{}, err
	}
	defer leave()
	if err := p.look(ctx, b, s.Operator); err != nil {
		return Paid{}, err
	}
	l := b.lane(s.Offer)
	var earlier *Paid
	if l.Open != nil && !bytes.Equal(l.Open.Row, row) {
		got, err := p.deliver(ctx, b, l, s)
		if err == nil {
			earlier = &got
		} else if l.Open != nil {
			return Paid{}, fmt.Errorf("the reply to an earlier request is missing: %w", err)
		}
	}
	got, err := p.pay(ctx, b, l, s, row)
	got.Earlier = earlier
	return got, err
}

// look asks the node about a channel, once: deposit and expiry do not change, and
// what was redeemed is below what was promised.
func (p *Payer) look(ctx context.Context, b *purse, payee keys.Address) error {
	if b.view == nil {
		v, err := p.node.ChannelGet(ctx, api.IDParams{ID: b.Channel})
		if err != nil {
			return err
		}
		b.view = &v
	}
	if c := b.view.Value; c.Payer != p.Account() || c.Payee != payee {
		return fmt.Errorf("%w: channel %v is not from %v to %v", ErrNoChannel, b.Channel, p.Account(), payee)
	}
	return nil
}

// pay signs a voucher for row, or takes the one that waits for its answer, and
// asks. If the operator knows of newer vouchers than the records do, it learns
// them and tries once more.
func (p *Payer) pay(ctx context.Context, b *purse, l *lane, s api.Served, row []byte) (Paid, error) {
	for try := 0; ; try++ {
		if l.Open == nil {
			if err := p.promise(b, l, s, row); err != nil {
				return Paid{}, err
			}
		}
		got, failed := p.deliver(ctx, b, l, s)
		if failed == nil || try > 0 || !behind(failed) {
			return got, failed
		}
		b.view = nil
		if err := p.look(ctx, b, s.Operator); err != nil {
			return Paid{}, err
		}
		b.learn(p.chainID, *b.view)
		var spent *api.Error
		if errors.As(failed, &spent) && spent.Data.Code == "VOUCHER_SPENT" {
			return Paid{}, errors.Join(failed, b.save()) // paid once already; who asks again decides to pay again
		}
	}
}

// promise signs the next voucher of a lane and has it on disk when it returns.
// Errors: ErrNoChannel if the channel has too little left.
func (p *Payer) promise(b *purse, l *lane, s api.Served, row []byte) error {
	if left := b.left(*b.view); left < s.Price {
		return fmt.Errorf("%w: %v left in channel %v, the price is %v", ErrNoChannel, left, b.Channel, s.Price)
	}
	next := channel.Voucher{Channel: channel.ID(b.Channel), Offer: channel.ID(s.Offer), Nonce: l.Nonce + 1, Cum: l.Cum + s.Price, ExpiryMS: b.view.Value.ExpiryMS}
	l.Open = &request{Voucher: channel.Sign(p.key, p.chainID, next), Row: bytes.Clone(row)}
	return b.save()
}

// deliver sends the open request of a lane and checks what comes back. A refusal
// closes the request: its voucher was not taken.
func (p *Payer) deliver(ctx context.Context, b *purse, l *lane, s api.Served) (Paid, error) {
	req := *l.Open
	features := make([]uint64, len(req.Row))
	for i, c := range req.Row {
		features[i] = uint64(c)
	}
	a, err := p.node.InferRun(ctx, api.InferParams{Voucher: req.Voucher, Features: features})
	for try := 0; try < busyTries && busy(ctx, err); try++ {
		a, err = p.node.InferRun(ctx, api.InferParams{Voucher: req.Voucher, Features: features})
	}
	if err != nil {
		if refused(err) {
			l.Open = nil
			return Paid{}, errors.Join(err, b.save())
		}
		return Paid{}, err
	}
	r, err := Check(p.chainID, s, req.Voucher.Voucher, req.Row, a)
	if err != nil {
		return Paid{}, err
	}
	l.Open = nil
	l.raise(req.Voucher.Voucher.Nonce, req.Voucher.Voucher.Cum)
	return Paid{Label: a.Label, Logits: a.Logits, Salt: a.Salt, Price: r.Receipt.Gross, Channel: b.Channel, Row: req.Row, Receipt: r}, b.save()
}

// busyTries is how often a busy operator is asked again.
const busyTries = 20

// busy waits as long as a busy node or operator asks for; false if err is another
// one, or ctx has ended.
func busy(ctx context.Context, err error) bool {
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeBusy {
		return false
	}
	t := time.NewTimer(time.Duration(min(max(e.Data.RetryAfterMS, 50), 2_000)) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Check verifies that an answer is the one that v paid for: a receipt of the
// offer's operator over this request, this answer and the price. It cannot see
// whether the model computed the answer, nor whether the shares are right: that
// is a replay's work. Errors: ErrAnswer.
func Check(chainID [32]byte, s api.Served, v channel.Voucher, row []byte, a api.InferAnswer) (receipt.SignedReceipt, error) {
	got, err := receipt.Decode(a.Receipt)
	if err != nil {
		return got, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if err := got.Verify(chainID, s.Operator); err != nil {
		return got, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	r := got.Receipt
	wrong := ""
	switch {
	case r.Offer != v.Offer || r.Channel != v.Channel || r.Nonce != v.Nonce || r.Cum != v.Cum:
		wrong = "its receipt is for another voucher"
	case r.Model != channel.ID(s.Model):
		wrong = "its receipt is for another model"
	case r.Gross != s.Price:
		wrong = fmt.Sprintf("its receipt says %v, the price is %v", r.Gross, s.Price)
	case r.ReqCommit != serve.RequestCommit(serve.ID(a.Salt), row):
		wrong = "its receipt is for another request"
	case r.RespCommit != serve.ResponseCommit(serve.ID(a.Salt), a.Label, a.Logits):
		wrong = "its receipt is for another response"
	}
	if wrong != "" {
		return got, fmt.Errorf("%w: %s", ErrAnswer, wrong)
	}
	return got, nil
}

// refused reports whether err is the operator's or node's word that the voucher
// was not taken.
func refused(err error) bool {
	var e *api.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case api.CodeBadParams, api.CodeInvalidParams, api.CodeNotFound, api.CodeLimit, api.CodeBusy, api.CodeUnauthorized, api.CodeForbidden:
		return true
	case api.CodeService:
		return e.Data.Code != "OPERATOR_UNREACHABLE"
	}
	return false
}

// behind reports whether a refusal says that newer vouchers exist than the
// records know.
func behind(err error) bool {
	var e *api.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Data.Code {
	case "VOUCHER_PRICE", "VOUCHER_OLD", "VOUCHER_SPENT", "VOUCHER_REDEEMED":
		return true
	}
	return false
}
