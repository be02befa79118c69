// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"fmt"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// MaxLanes bounds the lanes of one channel (CHN-01).
const MaxLanes = 64

// Channel is the state of one channel. Amounts are base units; times are chain
// milliseconds. Paid is the sum of what all lanes redeemed; Deposit − Paid is
// still locked. Spec: CHN-01, INV-04.
type Channel struct {
	_         struct{}     `cbor:",toarray"`
	Payer     keys.Address `json:"payer"`
	Payee     keys.Address `json:"payee"`
	Deposit   fixed.Amount `json:"deposit"`
	Paid      fixed.Amount `json:"paid"`
	WindowMS  uint64       `json:"window_ms"`
	ExpiryMS  uint64       `json:"expiry_ms"`
	MaxLanes  uint64       `json:"max_lanes"`
	Lanes     uint64       `json:"lanes"`      // how many exist
	ClosingMS uint64       `json:"closing_ms"` // when a close by the payer takes effect; 0 while open
	Held      fixed.Amount `json:"held"`       // state deposit of the payer (FEE-03)
}

// EndMS is when the channel ends by itself: at its expiry, or earlier when the
// payer has closed it.
func (c Channel) EndMS() uint64 {
	if c.ClosingMS != 0 && c.ClosingMS < c.ExpiryMS {
		return c.ClosingMS
	}
	return c.ExpiryMS
}

// Locked is what the channel still holds.
func (c Channel) Locked() fixed.Amount { return c.Deposit - c.Paid }

// Lane is the state of one offer in one channel: the highest nonce seen and what
// was redeemed. Spec: CHN-01.
type Lane struct {
	_        struct{}     `cbor:",toarray"`
	Nonce    uint64       `json:"nonce"`
	Redeemed fixed.Amount `json:"redeemed"`
}

// CheckVoucher decides whether s is good on channel id with state c and returns
// what it adds, in base units. lane is nil when the offer has no lane yet; the
// caller has checked that the offer belongs to the payee. ctime is the chain
// time in milliseconds.
//
// Cost: one signature check, made last. Errors: ErrFormat, ErrChannel,
// ErrClosed, ErrExpired, ErrLane, ErrCumLow, ErrCumOver, ErrSignature.
// Spec: CHN-03.
func CheckVoucher(chainID [32]byte, id ID, c Channel, lane *Lane, s SignedVoucher, ctime uint64) (fixed.Amount, error) {
	v := s.Voucher
	if err := v.Check(); err != nil {
		return 0, err
	}
	if v.Channel != id {
		return 0, ErrChannel
	}
	if s.Payer() != c.Payer {
		return 0, ErrSignature
	}
	_, _, delta, err := Redeem(c, lane, v, ctime)
	if err != nil {
		return 0, err
	}
	return delta, s.Verify(chainID)
}

// Redeem is the arithmetic of a redeem: the channel and lane after v, and what
// v adds. It does not look at the signature. Errors: ErrClosed, ErrExpired,
// ErrLane, ErrCumLow, ErrCumOver. Spec: CHN-03, CHN-04.
func Redeem(c Channel, lane *Lane, v Voucher, ctime uint64) (Channel, Lane, fixed.Amount, error) {
	var l Lane
	if lane != nil {
		l = *lane
	}
	switch {
	case ctime >= c.EndMS():
		return c, l, 0, ErrClosed
	case ctime >= v.ExpiryMS:
		return c, l, 0, fmt.Errorf("%w: at %d ms, now %d ms", ErrExpired, v.ExpiryMS, ctime)
	case lane == nil && c.Lanes >= c.MaxLanes:
		return c, l, 0, fmt.Errorf("%w: all %d in use", ErrLane, c.MaxLanes)
	case v.Cum <= l.Redeemed:
		return c, l, 0, fmt.Errorf("%w: cum %d, redeemed %d", ErrCumLow, v.Cum, l.Redeemed)
	case v.Nonce < l.Nonce:
		return c, l, 0, fmt.Errorf("%w: nonce %d, lane is at %d", ErrCumLow, v.Nonce, l.Nonce)
	}
	delta := v.Cum - l.Redeemed
	if delta > c.Locked() {
		return c, l, 0, fmt.Errorf("%w: adds %d, %d left", ErrCumOver, delta, c.Locked())
	}
	if lane == nil {
		c.Lanes++
	}
	c.Paid += delta
	l.Nonce, l.Redeemed = v.Nonce, v.Cum
	return c, l, delta, nil
}
