// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/receipt"
)

// EpochCommit (0901) commits an operator to what it served under one offer in
// one ledger epoch: root, sum and count of the receipt tree and of the line tree.
// Amounts are base units. Spec: RCP-03.
type EpochCommit struct {
	_            struct{}     `cbor:",toarray"`
	Epoch        uint64       `json:"epoch"`
	Offer        ID           `json:"offer"`
	ReceiptRoot  ID           `json:"receipt_root"`
	ReceiptSum   fixed.Amount `json:"receipt_sum"`
	ReceiptCount uint64       `json:"receipt_count"`
	LineRoot     ID           `json:"line_root"`
	LineSum      fixed.Amount `json:"line_sum"`
	LineCount    uint64       `json:"line_count"`
	Rule         string       `json:"rule"`
	Bond         fixed.Amount `json:"bond"`
}

// Kind implements Payload.
func (*EpochCommit) Kind() Kind { return KindEpochCommit }

// Writes implements Payload: sender, modules, object, index, pending, due entries.
func (*EpochCommit) Writes() uint64 { return 8 }

// Check implements Payload.
func (p *EpochCommit) Check() error {
	return checks(
		object("offer", p.Offer),
		object("receipt_root", p.ReceiptRoot),
		positive("receipt_sum", p.ReceiptSum),
		within("receipt_count", p.ReceiptCount, 1, 1<<32),
		within("line_count", p.LineCount, 0, 1<<36),
		name("rule", p.Rule, MaxRule),
		positive("bond", p.Bond),
	)
}

// ClaimEpoch (0a01) pays Payee its lines First to Last of a settled commit,
// proven by a range proof. Anyone may send it. Spec: PAY-05.
type ClaimEpoch struct {
	_      struct{}           `cbor:",toarray"`
	Commit ID                 `json:"commit"`
	Payee  keys.Address       `json:"payee"`
	First  uint64             `json:"first"`
	Last   uint64             `json:"last"`
	Proof  receipt.RangeProof `json:"proof"`
}

// Kind implements Payload.
func (*ClaimEpoch) Kind() Kind { return KindClaimEpoch }

// Writes implements Payload: sender, payee, module, commit, claim word.
func (*ClaimEpoch) Writes() uint64 { return 5 }

// Extra is the weight of up to four tree paths.
func (*ClaimEpoch) Extra() uint64 { return 1_200 }

// Check implements Payload.
func (p *ClaimEpoch) Check() error {
	if p.First > p.Last {
		return Errorf(EncField, "first %d after last %d", p.First, p.Last)
	}
	return checks(object("commit", p.Commit), account("payee", p.Payee))
}
