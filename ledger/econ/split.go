// SPDX-License-Identifier: Apache-2.0

package econ

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/fixed"
)

// BPS is the denominator of every rate: one basis point is 1/10,000.
const BPS = 10_000

// Bounds of the protocol's take (PAY-01): each part in basis points, and their
// sum.
const (
	MinTakeBPS = 100
	MaxTakeBPS = 1_500
	MaxTakeSum = 2_500
)

// Errors of this package.
var (
	ErrRates   = errors.New("rates out of bounds")
	ErrPrice   = errors.New("a gross amount needs a price above zero")
	ErrWeights = errors.New("attribution weights exceed their total")
)

// Rates are the parameters of PAY-01, in basis points. Burn, Treasury and
// Validators are taken from the gross amount; Contributors and Trainers divide
// the royalty part and sum to BPS.
type Rates struct {
	_            struct{} `cbor:",toarray"`
	Burn         uint64   `json:"burn"`
	Treasury     uint64   `json:"treasury"`
	Validators   uint64   `json:"validators"`
	Contributors uint64   `json:"contributors"`
	Trainers     uint64   `json:"trainers"`
}

// DefaultRates are the values of PAY-01: 500, 500, 500 of the gross; 7,000 and
// 3,000 of the royalty part.
func DefaultRates() Rates {
	return Rates{Burn: 500, Treasury: 500, Validators: 500, Contributors: 7_000, Trainers: 3_000}
}

// Check verifies the bounds of PAY-01 and MOD-02. Errors: ErrRates.
func (r Rates) Check() error {
	for _, x := range [3]uint64{r.Burn, r.Treasury, r.Validators} {
		if x < MinTakeBPS || x > MaxTakeBPS {
			return fmt.Errorf("%w: each take is %d to %d bps, got %d", ErrRates, MinTakeBPS, MaxTakeBPS, x)
		}
	}
	if sum := r.take(); sum > MaxTakeSum {
		return fmt.Errorf("%w: takes sum to %d bps, at most %d", ErrRates, sum, MaxTakeSum)
	}
	if r.Contributors < BPS/2 || r.Contributors > BPS || r.Trainers != BPS-r.Contributors {
		return fmt.Errorf("%w: contributors %d and trainers %d bps", ErrRates, r.Contributors, r.Trainers)
	}
	return nil
}

func (r Rates) take() uint64 { return r.Burn + r.Treasury + r.Validators }

// Price is what one unit costs: Ask goes to the operator, Royalty to the model's
// contributors and trainer. Base units per request.
type Price struct {
	_       struct{}     `cbor:",toarray"`
	Ask     fixed.Amount `json:"ask"`
	Royalty fixed.Amount `json:"royalty"`
}

// Gross returns units × (Ask + Royalty). Errors: fixed.ErrArith.
func (p Price) Gross(units uint64) (fixed.Amount, error) {
	each, err := fixed.Add(p.Ask, p.Royalty)
	if err != nil {
		return 0, err
	}
	g, err := fixed.MulDiv(units, uint64(each), 1)
	return fixed.Amount(g), err
}

// Split is one gross amount divided by PAY-01, in base units. The six parts sum
// to Gross.
type Split struct {
	_            struct{}     `cbor:",toarray"`
	Gross        fixed.Amount `json:"gross"`
	Contributors fixed.Amount `json:"contributors"`
	Trainer      fixed.Amount `json:"trainer"`
	Operator     fixed.Amount `json:"operator"`
	Burn         fixed.Amount `json:"burn"`
	Treasury     fixed.Amount `json:"treasury"`
	Validators   fixed.Amount `json:"validators"`
}

// SplitGross divides gross between everyone of PAY-01.
//
// Three cumulative splits (PAY-02) follow each other: gross into rest, burn,
// treasury, validators; rest into royalty and ask (the operator's part) in the
// proportion of the price; royalty into contributors and trainer.
//
// Dust: the first member of each split gets the floor of its exact share and
// every later one its own floor or one unit more. The contributors' side comes
// first each time, so the contributors' part is a composition of floors and
// never grows by adding up: for all a and b, part(a) + part(b) ≤ part(a+b).
// Therefore the lines of an epoch, computed receipt by receipt, always fit into
// the contributors' part of the epoch's sum; what they leave goes to the
// treasury when the epoch settles.
//
// Cost: O(1). Errors: ErrRates, ErrPrice, fixed.ErrArith. Spec: PAY-01, INV-05.
func SplitGross(gross fixed.Amount, p Price, r Rates) (Split, error) {
	if err := r.Check(); err != nil {
		return Split{}, err
	}
	if gross > 0 && p.Ask == 0 && p.Royalty == 0 {
		return Split{}, ErrPrice
	}
	top, err := fixed.Split(uint64(gross), []uint64{BPS - r.take(), r.Burn, r.Treasury, r.Validators})
	if err != nil {
		return Split{}, err
	}
	rest, err := fixed.Split(top[0], []uint64{uint64(p.Royalty), uint64(p.Ask)})
	if err != nil {
		return Split{}, err
	}
	royalty, err := fixed.Split(rest[0], []uint64{r.Contributors, r.Trainers})
	if err != nil {
		return Split{}, err
	}
	return Split{
		Gross:        gross,
		Contributors: fixed.Amount(royalty[0]),
		Trainer:      fixed.Amount(royalty[1]),
		Operator:     fixed.Amount(rest[1]),
		Burn:         fixed.Amount(top[1]),
		Treasury:     fixed.Amount(top[2]),
		Validators:   fixed.Amount(top[3]),
	}, nil
}
