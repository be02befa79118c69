// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/vrf"
)

// MaxCommission bounds a validator's commission in basis points.
const MaxCommission = 2_000

// ValidatorRegister (0204) makes the sender a candidate with a self bond.
// Possession proves its BLS key; VoteProof, the vote key's signature of
// RegisterBytes, proves the vote key and binds all keys to the sender, so that a
// copy of the transaction is worth nothing. Spec: STK-01, KEY-04.
type ValidatorRegister struct {
	_          struct{}       `cbor:",toarray"`
	VoteKey    keys.PublicKey `json:"vote_key"`
	VoteProof  keys.Signature `json:"vote_proof"`
	BLSKey     bls.PublicKey  `json:"bls_key"`
	Possession bls.Signature  `json:"possession"`
	VRFKey     vrf.PublicKey  `json:"vrf_key"`
	Commission uint64         `json:"commission"` // basis points
	SelfBond   fixed.Amount   `json:"self_bond"`
}

// Kind implements Payload.
func (*ValidatorRegister) Kind() Kind { return KindValidatorRegister }

// Writes implements Payload: sender, bonded, deposits, validator, delegation,
// three keys.
func (*ValidatorRegister) Writes() uint64 { return 8 }

// Extra is the weight of the proof of possession, about 3 ms, and of the vote
// key's.
func (*ValidatorRegister) Extra() uint64 { return 32_000 }

// Check implements Payload.
func (p *ValidatorRegister) Check() error {
	if err := p.VoteKey.Check(); err != nil {
		return Errorf(EncField, "vote_key: %v", err)
	}
	if err := p.VRFKey.Check(); err != nil {
		return Errorf(EncField, "vrf_key: %v", err)
	}
	return checks(within("commission", p.Commission, 0, MaxCommission), positive("self_bond", p.SelfBond))
}

// RegisterBytes is what the vote key of a ValidatorRegister signs.
func (p *ValidatorRegister) RegisterBytes(chainID [32]byte, sender keys.Address) []byte {
	return keys.Dom(keys.DomainRegister, chainID, sender, p.VoteKey, p.BLSKey, p.VRFKey)
}

// NewValidatorRegister makes the payload for a vote key, from which the other keys
// are derived.
func NewValidatorRegister(chainID [32]byte, sender keys.Address, vote keys.PrivateKey, commission uint64, bond fixed.Amount) *ValidatorRegister {
	b := bls.Derive(vote)
	p := &ValidatorRegister{VoteKey: vote.Public(), BLSKey: b.Public(), Possession: b.ProvePossession(),
		VRFKey: vrf.Derive(vote).Public(), Commission: commission, SelfBond: bond}
	p.VoteProof = vote.Sign(p.RegisterBytes(chainID, sender))
	return p
}

// ValidatorEdit (0205) changes the sender's commission, by at most 100 basis
// points and once per epoch.
type ValidatorEdit struct {
	_          struct{} `cbor:",toarray"`
	Commission uint64   `json:"commission"`
}

// Kind implements Payload.
func (*ValidatorEdit) Kind() Kind { return KindValidatorEdit }

// Writes implements Payload: sender, validator.
func (*ValidatorEdit) Writes() uint64 { return 2 }

// Check implements Payload.
func (p *ValidatorEdit) Check() error { return within("commission", p.Commission, 0, MaxCommission) }

// Unjail (0206) makes the sender electable again when its jail time is over.
type Unjail struct {
	_ struct{} `cbor:",toarray"`
}

// Kind implements Payload.
func (*Unjail) Kind() Kind { return KindUnjail }

// Writes implements Payload: sender, validator.
func (*Unjail) Writes() uint64 { return 2 }

// Check implements Payload.
func (*Unjail) Check() error { return nil }

// ValidatorReady (020a) says that the sender's node follows the chain and runs
// Protocol, so that it may enter the next set. Epoch is the running one.
// Spec: CONS-39.
type ValidatorReady struct {
	_        struct{} `cbor:",toarray"`
	Epoch    uint64   `json:"epoch"`
	Protocol uint64   `json:"protocol"`
}

// Kind implements Payload.
func (*ValidatorReady) Kind() Kind { return KindValidatorReady }

// Writes implements Payload: sender, validator.
func (*ValidatorReady) Writes() uint64 { return 2 }

// Check implements Payload.
func (*ValidatorReady) Check() error { return nil }

// SlashEvidence (0207) shows offences of validators: Evidence is an encoded
// consensus/evidence.Evidence. The sender gets the reporter's part. Spec: STK-04.
type SlashEvidence struct {
	_        struct{} `cbor:",toarray"`
	Evidence []byte   `json:"evidence"`
}

// MaxEvidence bounds Evidence in bytes (CONS-51).
const MaxEvidence = 32 << 10

// Kind implements Payload.
func (*SlashEvidence) Kind() Kind { return KindSlashEvidence }

// Writes implements Payload: sender, modules, and of about every fourth validator
// of a large set pool, conviction, offence, slash.
func (*SlashEvidence) Writes() uint64 { return 256 }

// Extra is the weight of the signatures in the evidence, 64 bytes each.
func (p *SlashEvidence) Extra() uint64 { return uint64(len(p.Evidence)) / 64 * weightSig }

// Check implements Payload.
func (p *SlashEvidence) Check() error {
	return within("evidence bytes", uint64(len(p.Evidence)), 1, MaxEvidence)
}
