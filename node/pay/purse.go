// SPDX-License-Identifier: Apache-2.0

package pay

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/rpc/api"
)

// purse is the record of one channel: a JSON file that is replaced as a whole.
type purse struct {
	path string
	turn chan struct{}    // held by whoever uses the record
	view *api.ChannelView // as the node last told; nil to ask it

	Chain   api.Hash     `json:"chain"`
	Channel api.Hash     `json:"channel"`
	Payer   keys.Address `json:"payer"`
	Payee   keys.Address `json:"payee"`
	Lanes   []*lane      `json:"lanes"`
}

// lane is what was paid under one offer: the last answered voucher's nonce and
// cumulative amount, and the one request that is not answered yet.
type lane struct {
	Offer api.Hash     `json:"offer"`
	Nonce uint64       `json:"nonce"`
	Cum   fixed.Amount `json:"cum"`
	Open  *request     `json:"open,omitempty"`
}

// request is a voucher that was signed for a row.
type request struct {
	Voucher channel.SignedVoucher `json:"voucher"`
	Row     []byte                `json:"row"`
}

// enter waits for the record; the returned function lets the next one have it.
// Errors: ctx's.
func (b *purse) enter(ctx context.Context) (leave func(), err error) {
	select {
	case b.turn <- struct{}{}:
		return func() { <-b.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

const maxPurse = 1 << 20 // bytes of a record

// readPurse reads a record. Errors: ErrRecord.
func readPurse(path string) (*purse, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, err := decodePurse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; move it away: the ledger and the operator know the channel too", path, err)
	}
	return b, nil
}

// decodePurse reads the bytes of a record. Errors: ErrRecord.
func decodePurse(raw []byte) (*purse, error) {
	b := &purse{turn: make(chan struct{}, 1)}
	if len(raw) > maxPurse {
		return nil, fmt.Errorf("%w: %d bytes", ErrRecord, len(raw))
	}
	if err := json.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	for _, l := range b.Lanes {
		if l == nil || l.Open != nil && (l.Open.Voucher.Voucher.Channel != channel.ID(b.Channel) || l.Open.Voucher.Voucher.Offer != channel.ID(l.Offer)) {
			return nil, fmt.Errorf("%w: a lane is empty or of another channel", ErrRecord)
		}
	}
	return b, nil
}

// save replaces the record on disk; it survives a power loss.
func (b *purse) save() error {
	raw, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return err
	}
	tmp := b.path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(append(raw, '\n')); err == nil {
		err = f.Sync()
	}
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp, b.path)
}

// lane returns the lane of an offer, a new one if there is none.
func (b *purse) lane(offer api.Hash) *lane {
	for _, l := range b.Lanes {
		if l.Offer == offer {
			return l
		}
	}
	l := &lane{Offer: offer}
	b.Lanes = append(b.Lanes, l)
	return l
}

// learn raises each lane to what was redeemed on the ledger and to the newest
// voucher that the payee shows, if this account signed it. It never lowers one.
func (b *purse) learn(chainID [32]byte, v api.ChannelView) {
	for _, x := range v.Lanes {
		l := b.lane(x.Offer)
		l.raise(x.Nonce, x.Redeemed)
		s := x.Newest
		if s == nil || s.Payer() != b.Payer || s.Voucher.Channel != channel.ID(b.Channel) || s.Voucher.Offer != channel.ID(x.Offer) ||
			s.Verify(chainID) != nil || l.Open != nil && l.Open.Voucher == *s {
			continue
		}
		l.raise(s.Voucher.Nonce, s.Voucher.Cum)
	}
}

func (l *lane) raise(nonce uint64, cum fixed.Amount) {
	l.Nonce, l.Cum = max(l.Nonce, nonce), max(l.Cum, cum)
}

// left is what can still be promised in the channel.
func (b *purse) left(v api.ChannelView) fixed.Amount {
	left := v.Value.Deposit
	sub := func(x fixed.Amount) { left -= min(left, x) }
	redeemed := map[api.Hash]fixed.Amount{}
	for _, x := range v.Lanes {
		redeemed[x.Offer] = x.Redeemed
	}
	for _, l := range b.Lanes {
		sub(max(l.Cum, redeemed[l.Offer]))
		delete(redeemed, l.Offer)
	}
	for _, x := range redeemed {
		sub(x)
	}
	return left
}
