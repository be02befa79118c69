// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

// RangeProof shows a payee's run of lines: its first and last line with their
// outer neighbours, each with its path in the line tree. Spec: PAY-05.
type RangeProof = merkle.SumRange

// ClaimAmount verifies that lines first to last under root are a whole run of
// payee and returns its sum in base units: the difference of the proven prefix
// sums. The outer neighbours, where they exist, must order strictly before and
// after the payee.
//
// In a sorted tree this is all that the payee is owed and no other run exists. A
// tree that its operator left unsorted can hold several runs; the caller bounds
// their total by the tree's sum (PAY-05).
//
// Cost: at most 4 paths. Errors: ErrRange; those of merkle.SumRange.Verify.
func ClaimAmount(root merkle.SumRoot, payee keys.Address, first, last uint64, p RangeProof) (fixed.Amount, error) {
	_, amount, err := p.Verify(root)
	if err != nil {
		return 0, err
	}
	end := p.End()
	if p.First.Index != first || end.Index != last {
		return 0, fmt.Errorf("%w: proves lines %d to %d, claims %d to %d", ErrRange, p.First.Index, end.Index, first, last)
	}
	for _, q := range [2]merkle.SumProof{p.First, end} {
		l, err := DecodeLine(q)
		if err != nil {
			return 0, err
		}
		if l.Payee != payee {
			return 0, fmt.Errorf("%w: line %d pays %v", ErrRange, q.Index, l.Payee)
		}
	}
	if err := checkNeighbour(p.Before, payee, -1); err != nil {
		return 0, err
	}
	if err := checkNeighbour(p.After, payee, 1); err != nil {
		return 0, err
	}
	return fixed.Amount(amount), nil
}

// checkNeighbour verifies that the line in p orders on the given side of payee.
func checkNeighbour(p *merkle.SumProof, payee keys.Address, side int) error {
	if p == nil {
		return nil
	}
	l, err := DecodeLine(*p)
	if err != nil {
		return err
	}
	if l.Payee.Compare(payee) != side {
		return fmt.Errorf("%w: line %d pays %v", ErrRange, p.Index, l.Payee)
	}
	return nil
}

// DecodeLine reads the line that a proof shows and checks that the proof's sum is
// its amount. Errors: ErrRange, those of enc.Decode.
func DecodeLine(p merkle.SumProof) (Line, error) {
	var l Line
	if err := enc.Decode(p.Body, &l); err != nil {
		return Line{}, fmt.Errorf("line %d: %w", p.Index, err)
	}
	if uint64(l.Amount) != p.Sum {
		return Line{}, fmt.Errorf("%w: line %d pays %d, its leaf counts %d", ErrRange, p.Index, l.Amount, p.Sum)
	}
	return l, nil
}
