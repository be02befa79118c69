// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"slices"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/econ"
)

// MaxPayers bounds the payers that one Pending remembers.
const MaxPayers = 256

// Part is what one payer put into a Pending, in base units.
type Part struct {
	_      struct{}     `cbor:",toarray"`
	Payer  keys.Address `json:"payer"`
	Amount fixed.Amount `json:"amount"`
}

// Pending is the redeemed and not yet settled money of one operator, ledger
// epoch and offer. Parts is ascending by payer and sums to Total. DueEpoch is
// its entry in the due-queue: the epoch at whose end it is refunded, 0 once a
// commit covers it.
// Spec: CHN-04, RCP-05.
type Pending struct {
	_     struct{}     `cbor:",toarray"`
	Total fixed.Amount `json:"total"`
	Parts []Part       `json:"parts"`

	DueEpoch uint64 `json:"due_epoch"`
}

// Add returns p with amount more from payer, false if a new payer would exceed
// MaxPayers. The receiver is not changed. Errors: fixed.ErrArith.
func (p Pending) Add(payer keys.Address, amount fixed.Amount) (Pending, bool, error) {
	total, err := fixed.Add(p.Total, amount)
	if err != nil {
		return p, false, err
	}
	at, found := slices.BinarySearchFunc(p.Parts, payer, func(x Part, a keys.Address) int { return x.Payer.Compare(a) })
	parts := slices.Clone(p.Parts)
	switch {
	case found:
		parts[at].Amount += amount // cannot wrap: bounded by total
	case len(parts) >= MaxPayers:
		return p, false, nil
	default:
		parts = slices.Insert(parts, at, Part{Payer: payer, Amount: amount})
	}
	p.Total, p.Parts = total, parts
	return p, true, nil
}

// Status is the life of an epoch commit.
type Status uint8

// A commit is Committed until its window ends and Settled from then on.
const (
	Committed Status = 1
	Settled   Status = 2
)

// Commit is the state object of one EpochCommit. It holds every term that a
// payee needs to recompute his income, so that one state proof of it is enough.
//
// Operator, Epoch and Offer name the Pending that it covers. Model, Trainer (the
// account that posted the model), Price and Rates are copied when the commit is
// accepted. Receipts and Lines are the two tree roots. Bond and Claimed are base
// units. DueEpoch is its entry in the due-queue while Committed, the epoch at whose
// end it settles, then 0.
// Spec: RCP-03, RCP-05, PAY-05.
type Commit struct {
	_        struct{}       `cbor:",toarray"`
	Operator keys.Address   `json:"operator"`
	Epoch    uint64         `json:"epoch"`
	Offer    ID             `json:"offer"`
	Model    ID             `json:"model"`
	Trainer  keys.Address   `json:"trainer"`
	Price    econ.Price     `json:"price"`
	Rates    econ.Rates     `json:"rates"`
	Receipts merkle.SumRoot `json:"receipts"`
	Lines    merkle.SumRoot `json:"lines"`
	Rule     string         `json:"rule"`
	Bond     fixed.Amount   `json:"bond"`
	Status   Status         `json:"status"`
	Claimed  fixed.Amount   `json:"claimed"`
	DueEpoch uint64         `json:"due_epoch"`
	Held     fixed.Amount   `json:"held"` // state deposit of the operator (FEE-03)
}

// MinBond is the least bond of a commit over sum base units: a sixteenth,
// rounded up (RCP-04).
func MinBond(sum fixed.Amount) fixed.Amount { return sum/16 + min(sum%16, 1) }
