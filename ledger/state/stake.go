// SPDX-License-Identifier: Apache-2.0

package state

import (
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/vrf"
	"github.com/openledger/openledger/ledger/econ"
)

// Candidate is a registered validator with its pool. Tokens are the base units
// bonded with it, Shares who owns them; SelfShares are those of its own account.
// The keys may act from epoch KeysFrom (CONS-37). Spec: STK-01..04.
type Candidate struct {
	_       struct{}       `cbor:",toarray"`
	VoteKey keys.PublicKey `json:"vote_key"`
	BLSKey  bls.PublicKey  `json:"bls_key"`
	VRFKey  vrf.PublicKey  `json:"vrf_key"`

	KeysFrom   uint64 `json:"keys_from"`
	ReadyFor   uint64 `json:"ready_for"`   // epoch for which its node is ready, 0 never
	Commission uint64 `json:"commission"`  // basis points
	NextEdit   uint64 `json:"next_edit"`   // first epoch in which the commission may change
	JailedTo   uint64 `json:"jailed_to"`   // first epoch in which Unjail is taken, 0 if not jailed
	Removed    bool   `json:"removed"`     // for good
	SlashedBPS uint64 `json:"slashed_bps"` // of what was liable, by offences of class slash
	Cuts       uint64 `json:"cuts"`        // length of the log of slashes

	Tokens     fixed.Amount `json:"tokens"`
	Shares     uint64       `json:"shares"`
	SelfShares uint64       `json:"self_shares"`

	Acc     fixed.U256   `cbor:"acc" json:"-"` // rewards per share since the start, times 2^64
	Owed    fixed.Amount `json:"owed"`         // commission not yet claimed
	Held    fixed.Amount `json:"held"`         // all rewards not yet claimed, Owed included
	Deposit fixed.Amount `json:"deposit"`
}

// SelfBond is what the validator's own shares are worth. Errors: fixed.ErrArith
// for a damaged record.
func (c Candidate) SelfBond() (fixed.Amount, error) {
	return econ.SellShares(c.SelfShares, c.Tokens, c.Shares)
}

// Due is what a delegator's shares have earned and not yet been paid, ⌊shares·(acc −
// seen)/2^64⌋. Errors: fixed.ErrArith for a damaged record. Spec: STK-03, PAY-04.
func (c Candidate) Due(d Delegation) (fixed.Amount, error) {
	grown, err := c.Acc.Sub(d.Seen)
	if err != nil {
		return 0, err
	}
	total, err := grown.Mul(d.Shares)
	if err != nil {
		return 0, err
	}
	due, err := total.Shr64().Uint64()
	return fixed.Amount(due), err
}

// Delegation is what one account holds of a validator's pool. Seen is the pool's
// Acc up to which rewards were paid. Locked shares came by Redelegate and cannot
// leave before their Hop has ended.
type Delegation struct {
	_       struct{}     `cbor:",toarray"`
	Shares  uint64       `json:"shares"`
	Locked  uint64       `json:"locked"`
	Seen    fixed.U256   `cbor:"seen" json:"-"`
	Deposit fixed.Amount `json:"deposit"`
}

// Liable is what a stake on its way owes to slashes of the validator that it left
// in Epoch: those of offences up to Epoch that came into the log at CutsAt or
// later. DueMS is its entry in the due-queue. Spec: STK-01.
type Liable struct {
	_         struct{}     `cbor:",toarray"`
	Validator keys.Address `json:"validator"`
	Epoch     uint64       `json:"epoch"`
	CutsAt    uint64       `json:"cuts_at"`
	DueMS     uint64       `json:"due_ms"`
}

// Unbonding is a stake on its way out.
type Unbonding struct {
	_         struct{}     `cbor:",toarray"`
	Delegator keys.Address `json:"delegator"`
	Amount    fixed.Amount `json:"amount"` // before slashes since it left
	Liable    Liable       `json:"liable"`
	Deposit   fixed.Amount `json:"deposit"`
}

// Hop is a stake that moved to another validator and is still liable for the one
// that it left.
type Hop struct {
	_         struct{}     `cbor:",toarray"`
	Delegator keys.Address `json:"delegator"`
	To        keys.Address `json:"to"`
	Shares    uint64       `json:"shares"` // of To, locked
	Liable    Liable       `json:"liable"`
	Deposit   fixed.Amount `json:"deposit"`
}

// PastSet is the set of an epoch that ended at chain time EndMS. It is kept while
// its offences can be punished.
type PastSet struct {
	_          struct{}    `cbor:",toarray"`
	Validators []Validator `json:"validators"`
	Seed       [32]byte    `json:"seed"` // of its leaders' order (CONS-41)
	EndMS      uint64      `json:"end_ms"`
}

// Conviction says that a validator stood convicted of an offence of class slash
// from chain time AtMS, with the power that it had then.
type Conviction struct {
	_     struct{} `cbor:",toarray"`
	Power uint64   `json:"power"`
	Epoch uint64   `json:"epoch"` // of the offence
	AtMS  uint64   `json:"at_ms"`
}

// Beacon is the randomness of a block that carried a VRF, and who led it.
type Beacon struct {
	_      struct{}     `cbor:",toarray"`
	Leader keys.Address `json:"leader"`
	R      [32]byte     `json:"r"`
}

// GetCandidate returns a registered validator. Errors: ErrUnknown.
func GetCandidate(v View, a keys.Address) (Candidate, error) {
	return need[Candidate](v, "validator", CandidateKey(a))
}

// ListCandidates lists registered validators by address after the given one; the
// id of an entry is the address.
func ListCandidates(v View, after *ID, limit int) ([]Entry[Candidate], error) {
	return list[Candidate](v, key(modValidator, 1), after, limit)
}

// GetDelegation returns what an account holds of a validator's pool. Errors:
// ErrUnknown.
func GetDelegation(v View, validator, delegator keys.Address) (Delegation, error) {
	return need[Delegation](v, "delegation", DelegationKey(validator, delegator))
}

// ListDelegations lists the delegations to a validator by delegator after the
// given one; the id of an entry is the delegator.
func ListDelegations(v View, validator keys.Address, after *ID, limit int) ([]Entry[Delegation], error) {
	return list[Delegation](v, key(modValidator, 2, validator[:]), after, limit)
}

// ListUnbondings lists stakes on their way out by id after the given one.
func ListUnbondings(v View, after *ID, limit int) ([]Entry[Unbonding], error) {
	return list[Unbonding](v, key(modValidator, 3), after, limit)
}

// ListHops lists redelegated stakes by id after the given one.
func ListHops(v View, after *ID, limit int) ([]Entry[Hop], error) {
	return list[Hop](v, key(modValidator, 4), after, limit)
}

// GetPastSet returns the set of an epoch that has ended. Errors: ErrUnknown.
func GetPastSet(v View, epoch uint64) (PastSet, error) {
	return need[PastSet](v, "past set", PastSetKey(epoch))
}
