// SPDX-License-Identifier: Apache-2.0

package econ

import (
	"fmt"

	"github.com/openledger/openledger/internal/fixed"
)

// Summary adds up what became of the money that was redeemed in one ledger epoch,
// in base units. Gross is the sum of the other eight. Spec: PAY-06, INV-16.
type Summary struct {
	_            struct{}     `cbor:",toarray"`
	Gross        fixed.Amount `json:"gross"`
	Burn         fixed.Amount `json:"burn"`
	Treasury     fixed.Amount `json:"treasury"` // with shares that no line names
	Validators   fixed.Amount `json:"validators"`
	Operators    fixed.Amount `json:"operators"`
	Contributors fixed.Amount `json:"contributors"` // became claimable
	Trainers     fixed.Amount `json:"trainers"`
	Seed         fixed.Amount `json:"seed"` // always 0 so far
	Refunds      fixed.Amount `json:"refunds"`
}

// Settle returns s with one settled commit more: split by PAY-01, of whose
// contributors' part lines became claimable and the rest went to the treasury.
// Errors: fixed.ErrArith, also if lines exceed that part.
func (s Summary) Settle(split Split, lines fixed.Amount) (Summary, error) {
	left, err := fixed.Sub(split.Contributors, lines)
	if err != nil {
		return s, err
	}
	return s.add(Summary{
		Gross: split.Gross, Burn: split.Burn, Treasury: split.Treasury + left, Validators: split.Validators,
		Operators: split.Operator, Contributors: lines, Trainers: split.Trainer,
	})
}

// Refund returns s with amount more that went back to payers. Errors:
// fixed.ErrArith.
func (s Summary) Refund(amount fixed.Amount) (Summary, error) {
	return s.add(Summary{Gross: amount, Refunds: amount})
}

// Check verifies INV-16. Errors: fixed.ErrArith.
func (s Summary) Check() error {
	sum := fixed.Amount(0)
	for _, x := range s.parts() {
		var err error
		if sum, err = fixed.Add(sum, *x); err != nil {
			return err
		}
	}
	if sum != s.Gross {
		return fmt.Errorf("%w: parts sum to %d, gross is %d", fixed.ErrArith, sum, s.Gross)
	}
	return nil
}

func (s *Summary) parts() [8]*fixed.Amount {
	return [8]*fixed.Amount{&s.Burn, &s.Treasury, &s.Validators, &s.Operators, &s.Contributors, &s.Trainers, &s.Seed, &s.Refunds}
}

func (s Summary) add(d Summary) (Summary, error) {
	out := s
	var err error
	if out.Gross, err = fixed.Add(s.Gross, d.Gross); err != nil {
		return s, err
	}
	to, more := out.parts(), d.parts()
	for i := range to {
		if *to[i], err = fixed.Add(*to[i], *more[i]); err != nil {
			return s, err
		}
	}
	return out, nil
}
