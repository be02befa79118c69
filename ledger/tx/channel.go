// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
)

// ChannelOpen (0801) locks Deposit base units for Payee. WindowMS is how long a
// close by the payer takes, ExpiryMS the chain time at which the channel ends.
// Spec: CHN-01.
type ChannelOpen struct {
	_        struct{}     `cbor:",toarray"`
	Payee    keys.Address `json:"payee"`
	Deposit  fixed.Amount `json:"deposit"`
	WindowMS uint64       `json:"window_ms"`
	ExpiryMS uint64       `json:"expiry_ms"`
	MaxLanes uint64       `json:"max_lanes"`
}

// Kind implements Payload.
func (*ChannelOpen) Kind() Kind { return KindChannelOpen }

// Writes implements Payload: sender, deposits, channels, object, due entry.
func (*ChannelOpen) Writes() uint64 { return 5 }

// Check implements Payload.
func (p *ChannelOpen) Check() error {
	return checks(
		account("payee", p.Payee),
		positive("deposit", p.Deposit),
		within("window_ms", p.WindowMS, 1, 1<<62),
		within("expiry_ms", p.ExpiryMS, 1, 1<<62),
		within("max_lanes", p.MaxLanes, 1, channel.MaxLanes),
	)
}

// ChannelRedeem (0803) turns vouchers into pending income of their payee. Anyone
// may send it. Spec: CHN-03, CHN-04.
type ChannelRedeem struct {
	_        struct{}                `cbor:",toarray"`
	Vouchers []channel.SignedVoucher `json:"vouchers"`
}

// Kind implements Payload.
func (*ChannelRedeem) Kind() Kind { return KindChannelRedeem }

// Writes implements Payload: sender and modules; channel, lane, pending and due
// entry of each voucher.
func (p *ChannelRedeem) Writes() uint64 { return 4 + 4*uint64(len(p.Vouchers)) }

// Extra is the weight of the voucher signatures, which execution checks.
func (p *ChannelRedeem) Extra() uint64 { return 450 * uint64(len(p.Vouchers)) }

// Check implements Payload.
func (p *ChannelRedeem) Check() error {
	if err := within("vouchers", uint64(len(p.Vouchers)), 1, channel.MaxVouchers); err != nil {
		return err
	}
	for i := range p.Vouchers {
		if err := p.Vouchers[i].Voucher.Check(); err != nil {
			return Errorf(EncField, "voucher %d: %v", i, err)
		}
	}
	return nil
}

// ChannelClose (0804) ends a channel: at once by the payee, after its window by
// the payer. Spec: CHN-05.
type ChannelClose struct {
	_       struct{} `cbor:",toarray"`
	Channel ID       `json:"channel"`
}

// Kind implements Payload.
func (*ChannelClose) Kind() Kind { return KindChannelClose }

// Writes implements Payload: sender, payer, modules, channel, due entries.
func (*ChannelClose) Writes() uint64 { return 7 }

// Check implements Payload.
func (p *ChannelClose) Check() error { return object("channel", p.Channel) }
