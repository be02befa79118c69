// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/econ"
)

// Rule is the attribution rule that this version of the program pays by.
const Rule = "poa/1"

// Errors of this package.
var (
	ErrFormat    = errors.New("malformed receipt")
	ErrSignature = errors.New("receipt not signed by the operator")
	ErrPrice     = errors.New("gross differs from units times price")
	ErrBook      = errors.New("receipts do not form one epoch's book")
	ErrNone      = errors.New("no line names this payee")
	ErrRange     = errors.New("claim is not the payee's whole run of lines")
)

// ID is an object id.
type ID = channel.ID

// Attr is one owner's part in one answer: Weight of econ.TotalWeight (2^40).
type Attr struct {
	_      struct{}     `cbor:",toarray"`
	Owner  keys.Address `json:"owner"`
	Weight uint64       `json:"weight"`
}

// Receipt is the operator's signed word about one paid answer. Nonce and Cum are
// those of the voucher that paid it; ReqCommit and RespCommit are salted hashes
// of request and response; Gross is in base units; TimeMS is the operator's
// clock. Attr is ascending by owner without duplicates; a weight that it leaves
// open is nobody's. Spec: RCP-01.
type Receipt struct {
	_          struct{}     `cbor:",toarray"`
	Offer      ID           `json:"offer"`
	Channel    ID           `json:"channel"`
	Nonce      uint64       `json:"nonce"`
	Cum        fixed.Amount `json:"cum"`
	ReqCommit  ID           `json:"req_commit"`
	RespCommit ID           `json:"resp_commit"`
	Units      uint64       `json:"units"`
	Gross      fixed.Amount `json:"gross"`
	TimeMS     uint64       `json:"time_ms"`
	Rule       string       `json:"rule"`
	Attr       []Attr       `json:"attr"`
	Model      ID           `json:"model"`
}

// Check verifies what can be seen without state: one unit, a gross above zero
// and not above cum, the rule, and the order and sum of Attr. Errors: ErrFormat.
func (r Receipt) Check() error {
	switch {
	case r.Units != 1:
		return fmt.Errorf("%w: %d units, want 1", ErrFormat, r.Units)
	case r.Gross == 0 || r.Gross > r.Cum:
		return fmt.Errorf("%w: gross %d of cum %d", ErrFormat, r.Gross, r.Cum)
	case r.Rule != Rule:
		return fmt.Errorf("%w: rule %q, want %q", ErrFormat, r.Rule, Rule)
	case len(r.Attr) > MaxAttr:
		return fmt.Errorf("%w: %d owners, at most %d", ErrFormat, len(r.Attr), MaxAttr)
	}
	return checkAttr(r.Attr)
}

// Unattributed reports whether the receipt names no owner: its contributors'
// part goes to the treasury (PAY-02).
func (r Receipt) Unattributed() bool { return len(r.Attr) == 0 }

// Encode returns the bytes that the receipt tree commits to.
func (r Receipt) Encode() []byte { return enc.Encode(r) }

// Shares recomputes what each entry of Attr is paid: PAY-01 on Gross, then
// Hamilton over Attr. left is what nobody named here gets; it goes to the
// treasury. The shares and left sum to the contributors' part of Gross.
// Errors: ErrFormat, ErrPrice, econ.ErrRates, fixed.ErrArith. Spec: SHR-05.
func (r Receipt) Shares(p econ.Price, rates econ.Rates) (shares []fixed.Amount, left fixed.Amount, err error) {
	if err := r.Check(); err != nil {
		return nil, 0, err
	}
	gross, err := p.Gross(r.Units)
	if err != nil {
		return nil, 0, err
	}
	if gross != r.Gross {
		return nil, 0, fmt.Errorf("%w: %d, want %d", ErrPrice, r.Gross, gross)
	}
	split, err := econ.SplitGross(r.Gross, p, rates)
	if err != nil {
		return nil, 0, err
	}
	weights := make([]uint64, len(r.Attr))
	for i, a := range r.Attr {
		weights[i] = a.Weight
	}
	return econ.Shares(split.Contributors, weights)
}

// SigningBytes are dom("receipt", chainID, receipt) of ENC-05.
func (r Receipt) SigningBytes(chainID [32]byte) []byte {
	return keys.Dom(keys.DomainReceipt, chainID, r)
}

// SignedReceipt is a receipt with the operator's key and signature.
type SignedReceipt struct {
	_       struct{}       `cbor:",toarray"`
	Receipt Receipt        `json:"receipt"`
	Key     keys.PublicKey `json:"key"`
	Sig     keys.Signature `json:"sig"`
}

// Sign signs r with the operator's key for one chain.
func Sign(k keys.PrivateKey, chainID [32]byte, r Receipt) SignedReceipt {
	return SignedReceipt{Receipt: r, Key: k.Public(), Sig: k.Sign(r.SigningBytes(chainID))}
}

// Operator is the account that Key alone speaks for.
func (s SignedReceipt) Operator() keys.Address { return keys.SingleAuth(s.Key).Address() }

// Verify checks format and signature, and that operator's key made it. Errors:
// ErrFormat, ErrSignature.
func (s SignedReceipt) Verify(chainID [32]byte, operator keys.Address) error {
	if err := s.Receipt.Check(); err != nil {
		return err
	}
	if s.Operator() != operator || !keys.Verify(s.Key, s.Receipt.SigningBytes(chainID), s.Sig) {
		return ErrSignature
	}
	return nil
}

// Decode reads the one valid encoding of a signed receipt and checks its format.
// Errors: those of enc.Decode, ErrFormat.
func Decode(b []byte) (SignedReceipt, error) {
	var s SignedReceipt
	if err := enc.Decode(b, &s); err != nil {
		return SignedReceipt{}, err
	}
	if err := s.Receipt.Check(); err != nil {
		return SignedReceipt{}, err
	}
	return s, nil
}
