// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"crypto/rand"
	"crypto/sha256"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/node/settle"
)

// RequestCommit is the salted commitment of a receipt to its request row.
// Spec: RCP-01.
func RequestCommit(salt ID, row []uint8) ID {
	return ID(keys.Sum(keys.DomainRequest, salt, "request", row))
}

// ResponseCommit is the salted commitment of a receipt to its answer: the label
// and the bits of each class's logit. Spec: RCP-01.
func ResponseCommit(salt ID, label uint64, logits []uint32) ID {
	return ID(keys.Sum(keys.DomainRequest, salt, "answer", label, logits))
}

// Answer takes a voucher for one answer to a row. The same voucher and row give
// the same answer and receipt again, as often as they are sent.
//
// Cost: two syncs of the disk, shared with other requests that wait for one.
// Errors: ErrNotServed, ErrLoading, ErrBusy, ErrRow, those of settle.Till.Accept,
// model.ErrNotFinite, ctx's.
func (g *Gateway) Answer(ctx context.Context, s channel.SignedVoucher, row []uint8) (settle.Answer, error) {
	of, err := g.served(s.Voucher.Offer)
	if err != nil {
		return settle.Answer{}, err
	}
	if err := of.model.fits(row); err != nil {
		return settle.Answer{}, err
	}
	select {
	case g.queue <- struct{}{}:
		defer func() { <-g.queue }()
	default:
		return settle.Answer{}, ErrBusy
	}
	leave, err := g.cfg.Till.Enter(ctx, s.Voucher.Channel)
	if err != nil {
		return settle.Answer{}, err
	}
	defer leave()
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return settle.Answer{}, ctx.Err()
	}
	return g.answer(of, s, row)
}

// answer runs in the channel's turn. From Accept on it does not stop for ctx: the
// voucher is taken.
func (g *Gateway) answer(of *served, s channel.SignedVoucher, row []uint8) (settle.Answer, error) {
	price, err := of.price.Gross(1)
	if err != nil {
		return settle.Answer{}, err
	}
	digest := sha256.Sum256(row)
	old, err := g.cfg.Till.Accept(settle.Terms{Price: price, ValidUntil: of.offer.ValidUntil}, s, digest)
	if err != nil {
		return settle.Answer{}, err
	}
	if old != nil {
		return *old, nil
	}
	out, attr, err := of.model.answer(row)
	if err != nil {
		return settle.Answer{}, err
	}
	a := settle.Answer{Label: out.Label, Logits: out.Logits}
	if _, err := rand.Read(a.Salt[:]); err != nil {
		return settle.Answer{}, err
	}
	a.Receipt = receipt.Sign(g.cfg.Key, g.cfg.ChainID, receipt.Receipt{
		Offer: s.Voucher.Offer, Channel: s.Voucher.Channel, Nonce: s.Voucher.Nonce, Cum: s.Voucher.Cum,
		ReqCommit: RequestCommit(a.Salt, row), RespCommit: ResponseCommit(a.Salt, a.Label, a.Logits),
		Units: 1, Gross: price, TimeMS: g.cfg.Clock.Wall(), Rule: receipt.Rule, Attr: attr, Model: of.offer.Model,
	})
	return a, g.cfg.Till.Finish(s, digest, a)
}
