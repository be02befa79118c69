// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
)

// FormatReceipt names the form of a Receipt statement.
const FormatReceipt = "openledger/receipt/1"

// Receipt says that an operator answered a paid request and credits the owners
// that it names. Alone it shows the operator's signature; with Terms it also
// shows that this account offered this model at this price, and what each owner
// is paid.
type Receipt struct {
	_       struct{} `cbor:",toarray"`
	Format  string
	ChainID channel.ID
	Signed  receipt.SignedReceipt
	Terms   *Terms
}

// Terms are the state proofs of the offer, its model and the parameters.
type Terms struct {
	_      struct{} `cbor:",toarray"`
	Anchor Anchor
	Offer  merkle.StateProof
	Model  merkle.StateProof
	Params merkle.StateProof
}

// NewReceipt makes a statement. terms may be nil.
func NewReceipt(chainID [32]byte, s receipt.SignedReceipt, terms *Terms) Receipt {
	return Receipt{Format: FormatReceipt, ChainID: chainID, Signed: s, Terms: terms}
}

// Epoch implements Statement.
func (s *Receipt) Epoch() uint64 {
	if s.Terms == nil {
		return 0
	}
	return s.Terms.Anchor.Header.Epoch
}

// Verify checks the signature and, with Terms, header, state proofs, price and
// every share. Without Terms t needs no hash. Errors: ErrFalse with the first
// check that failed, ErrTrust.
func (s *Receipt) Verify(t Trust) (Report, error) {
	var r Report
	if t.ChainID != ([32]byte{}) && s.ChainID != t.ChainID {
		return r, fail("chain", errDiffers)
	}
	operator := s.Signed.Operator()
	if err := s.Signed.Verify(s.ChainID, operator); err != nil {
		return r, fail("receipt", err)
	}
	r.pass("receipt %d of channel %v is signed by operator %s", s.Signed.Receipt.Nonce, s.Signed.Receipt.Channel, short(operator))
	r.open("that the weights are right: replay the answer")
	if s.Terms == nil {
		r.open("that this operator offered this model at this price: the statement has no state proof")
		return r, nil
	}
	if err := s.Terms.Anchor.verify(t, &r); err != nil {
		return r, err
	}
	price, rates, err := s.checkTerms(&r, operator)
	if err != nil {
		return r, err
	}
	shares, left, err := s.Signed.Receipt.Shares(price, rates)
	if err != nil {
		return r, fail("shares", err)
	}
	paid := fixed.Amount(0)
	for _, x := range shares {
		paid += x // cannot wrap: shares sum to at most gross
	}
	r.pass("gross %v is the price of one answer", s.Signed.Receipt.Gross)
	r.pass("contributors' part %v = %v to %d owners + %v to the treasury", paid+left, paid, len(shares), left)
	return r, nil
}

// checkTerms verifies the three state proofs and returns price and rates.
func (s *Receipt) checkTerms(r *Report, operator keys.Address) (p econ.Price, rates econ.Rates, err error) {
	x, rc := s.Terms, s.Signed.Receipt
	if x.Anchor.Header.ChainID != s.ChainID {
		return p, rates, failf("chain", "the header is of another chain than the receipt")
	}
	offer, err := proven[state.Offer](r, &x.Anchor, x.Offer, state.OfferKey(rc.Offer), "offer")
	if err != nil {
		return p, rates, err
	}
	model, err := proven[state.Model](r, &x.Anchor, x.Model, state.ModelKey(rc.Model), "model")
	if err != nil {
		return p, rates, err
	}
	params, err := proven[state.Params](r, &x.Anchor, x.Params, state.ParamsKey(), "parameters")
	if err != nil {
		return p, rates, err
	}
	if offer.Operator != operator || offer.Model != rc.Model {
		return p, rates, failf("offer", "it is of another operator or model than the receipt")
	}
	r.pass("the operator owns the offer, the offer serves the model")
	return econ.Price{Ask: offer.Ask, Royalty: model.Royalty}, params.Rates, nil
}

var errAbsent = errors.New("the state has no such object")

// proven verifies that key has a value under an anchor that is verified and
// decodes it.
func proven[T any](r *Report, a *Anchor, p merkle.StateProof, key []byte, what string) (rec T, err error) {
	if !bytes.Equal(p.Key, key) {
		return rec, failf("state proof of "+what, "it is about key %x, not %x", p.Key, key)
	}
	if !p.Present() {
		return rec, fail("state proof of "+what, errAbsent)
	}
	if err := checkState(r, a, p, what); err != nil {
		return rec, err
	}
	if err := enc.Decode(value(p), &rec); err != nil {
		return rec, fail("state proof of "+what, err)
	}
	return rec, nil
}

// Encode returns the exact bytes.
func (s *Receipt) Encode() []byte { return enc.Encode(s) }

// DecodeReceipt reads the exact bytes of a Receipt. Errors: ErrFormat.
func DecodeReceipt(b []byte) (Receipt, error) {
	return decode(b, func(s *Receipt) (string, string) { return s.Format, FormatReceipt })
}

type receiptJSON struct {
	Format  string          `json:"format"`
	ChainID channel.ID      `json:"chain_id"`
	Receipt receipt.Receipt `json:"receipt"`
	Key     channel.ID      `json:"key"`
	Sig     channel.SigText `json:"sig"`
	Height  *uint64         `json:"height"` // of the header, null without state proofs
	Exact   []byte          `json:"exact"`
}

// MarshalJSON prints the statement for people, with the exact bytes beside.
func (s Receipt) MarshalJSON() ([]byte, error) {
	j := receiptJSON{
		Format: s.Format, ChainID: s.ChainID, Receipt: s.Signed.Receipt, Key: channel.ID(s.Signed.Key),
		Sig: channel.SigText(s.Signed.Sig), Exact: s.Encode(),
	}
	if s.Terms != nil {
		j.Height = &s.Terms.Anchor.Header.Height
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON prints and refuses text that differs from
// the exact bytes. Errors: ErrFormat, ErrFalse.
func (s *Receipt) UnmarshalJSON(b []byte) (err error) {
	*s, err = fromJSON(b, DecodeReceipt)
	return err
}
