// SPDX-License-Identifier: Apache-2.0

package econ

import (
	"github.com/openledger/openledger/internal/fixed"
)

// BuyShares returns the shares that amount buys of a pool that holds tokens under
// shares: ⌊amount·shares/tokens⌋, of an empty pool amount itself. The dust stays
// with the pool. Errors: fixed.ErrArith, also for a pool that has shares and no
// tokens left. Spec: STK-01.
func BuyShares(amount, tokens fixed.Amount, shares uint64) (uint64, error) {
	if shares == 0 {
		return uint64(amount), nil
	}
	return fixed.MulDiv(uint64(amount), shares, uint64(tokens))
}

// SellShares returns the tokens that s of a pool's shares are worth, ⌊s·tokens/
// shares⌋. The dust stays with the pool; all shares get all tokens. Errors:
// fixed.ErrArith if s exceeds shares. Spec: STK-01.
func SellShares(s uint64, tokens fixed.Amount, shares uint64) (fixed.Amount, error) {
	if s > shares {
		return 0, fixed.ErrArith
	}
	if s == 0 {
		return 0, nil
	}
	t, err := fixed.MulDiv(s, uint64(tokens), shares)
	return fixed.Amount(t), err
}

// Cut is one slash of a validator for an offence in Epoch: what was liable keeps
// Num parts of Den. Spec: STK-04.
type Cut struct {
	_     struct{} `cbor:",toarray"`
	Epoch uint64   `json:"epoch"`
	Num   uint64   `json:"num"`
	Den   uint64   `json:"den"`
}

// Keep returns what is left of x: ⌊x·Num/Den⌋. Errors: fixed.ErrArith.
func (c Cut) Keep(x uint64) (uint64, error) { return fixed.MulDiv(x, c.Num, c.Den) }

// Bounds of a slash, in basis points of what is liable (CONS-51).
const (
	MinSlashBPS = 500
	JailBPS     = 10
	ReporterBPS = 500 // of what a slash takes at once
)

// SlashBPS is the part that everybody convicted loses when power p of w stands
// convicted: max(500, min(10000, ⌊30000·p/w⌋)). A third loses all. w must not be
// 0. Errors: fixed.ErrArith. Spec: CONS-51, STK-04.
func SlashBPS(p, w uint64) (uint64, error) {
	if p >= w {
		return BPS, nil
	}
	x, err := fixed.MulDiv(3*BPS, p, w)
	return max(MinSlashBPS, min(BPS, x)), err
}
