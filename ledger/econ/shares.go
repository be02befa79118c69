// SPDX-License-Identifier: Apache-2.0

package econ

import (
	"fmt"
	"math/bits"

	"github.com/openledger/openledger/internal/fixed"
)

// TotalWeight is W = 2^40, the sum of a complete list of attribution weights
// (PAY-03).
const TotalWeight uint64 = 1 << 40

// Shares divides the contributors' part of one receipt between the owners that
// its attribution names.
//
// part is in base units; weights are of TotalWeight and in the order of the
// receipt. paid = ⌊part·Σweights/2^40⌋ goes to the owners by Hamilton's largest
// remainders, ties to the lower index; left = part − paid belongs to nobody named
// and goes to the treasury (status unattributed when the list is empty). The
// shares and left sum to part.
//
// Cost: O(n log n). Errors: ErrWeights if the weights sum to more than
// TotalWeight. Spec: SHR-02, SHR-05 with mix and calibration 1, PAY-02, INV-05.
func Shares(part fixed.Amount, weights []uint64) (shares []fixed.Amount, left fixed.Amount, err error) {
	var sum, carry uint64
	for _, w := range weights {
		if sum, carry = bits.Add64(sum, w, 0); carry != 0 || sum > TotalWeight {
			return nil, 0, fmt.Errorf("%w of %d", ErrWeights, TotalWeight)
		}
	}
	paid, err := fixed.MulDiv(uint64(part), sum, TotalWeight)
	if err != nil {
		return nil, 0, err
	}
	parts, err := fixed.Hamilton(paid, weights)
	if err != nil {
		return nil, 0, err
	}
	shares = make([]fixed.Amount, len(parts))
	for i, x := range parts {
		shares[i] = fixed.Amount(x)
	}
	return shares, part - fixed.Amount(paid), nil
}

// Refund divides amount between payers in proportion to what each paid.
//
// paid is in base units, payers in ascending address; dust follows PAY-02: each
// payer is within one unit of his exact share and the parts sum to amount. A
// full refund (amount = Σpaid) gives everyone back exactly what he paid. Errors:
// fixed.ErrArith if Σpaid exceeds 64 bits or is smaller than amount.
// Spec: PAY-02, RCP-05.
func Refund(amount fixed.Amount, paid []fixed.Amount) ([]fixed.Amount, error) {
	weights := make([]uint64, len(paid))
	var sum fixed.Amount
	for i, p := range paid {
		var err error
		if sum, err = fixed.Add(sum, p); err != nil {
			return nil, err
		}
		weights[i] = uint64(p)
	}
	if amount > sum {
		return nil, fmt.Errorf("%w: refund of %d from %d", fixed.ErrArith, amount, sum)
	}
	parts, err := fixed.Split(uint64(amount), weights)
	if err != nil {
		return nil, err
	}
	out := make([]fixed.Amount, len(parts))
	for i, x := range parts {
		out[i] = fixed.Amount(x)
	}
	return out, nil
}
