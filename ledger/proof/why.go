// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
)

// FormatWhy names the form of a Why statement.
const FormatWhy = "openledger/why/1"

// Why says what Payee earned under one epoch commit and from which answers. It
// carries every term: the commit with its state proof, the payee's lines with
// their range proof, and the signed receipts behind them. Spec: PAY-07.
type Why struct {
	_        struct{} `cbor:",toarray"`
	Format   string
	Anchor   Anchor
	Commit   merkle.StateProof
	Payee    keys.Address
	Range    receipt.RangeProof
	Lines    []receipt.Line
	Receipts []Part
}

// Part is one receipt with its place and path in the commit's receipt tree.
type Part struct {
	_      struct{} `cbor:",toarray"`
	Signed receipt.SignedReceipt
	Index  uint64
	Path   []merkle.SumNode
}

// NewWhy makes the statement for payee from the operator's book of the epoch.
// signed holds the book's receipts in any order; commit is the state proof of
// the receipt.Commit made from book. It does not verify what it is given.
//
// Cost: one pass over the receipt tree per receipt of the payee. Errors:
// receipt.ErrNone, ErrFormat if a receipt's signature is missing.
func NewWhy(a Anchor, commit merkle.StateProof, book *receipt.Book, signed []receipt.SignedReceipt, payee keys.Address) (Why, error) {
	first, last, proof, err := book.Claim(payee)
	if err != nil {
		return Why{}, err
	}
	type paid struct {
		channel channel.ID
		nonce   uint64
	}
	of := make(map[paid]receipt.SignedReceipt, len(signed))
	for _, s := range signed {
		of[paid{s.Receipt.Channel, s.Receipt.Nonce}] = s
	}
	w := Why{Format: FormatWhy, Anchor: a, Commit: commit, Payee: payee, Range: proof, Lines: book.Lines[first : last+1]}
	for _, l := range w.Lines {
		r := book.Receipts[l.Receipt]
		s, ok := of[paid{r.Channel, r.Nonce}]
		if !ok {
			return Why{}, fmt.Errorf("%w: no signed receipt %d of channel %v", ErrFormat, r.Nonce, r.Channel)
		}
		p, err := book.ProveReceipt(l.Receipt)
		if err != nil {
			return Why{}, err
		}
		w.Receipts = append(w.Receipts, Part{Signed: s, Index: l.Receipt, Path: p.Path})
	}
	return w, nil
}

// CommitID returns the id of the epoch commit, false if Commit proves another
// kind of object.
func (w *Why) CommitID() (channel.ID, bool) {
	id := channel.ID{}
	if len(w.Commit.Key) != 2+len(id) {
		return id, false
	}
	copy(id[:], w.Commit.Key[2:])
	return id, bytes.Equal(state.CommitKey(id), w.Commit.Key)
}

// Amount adds up the lines, in base units. It means something only if Verify
// succeeds. Errors: fixed.ErrArith.
func (w *Why) Amount() (fixed.Amount, error) {
	sum := fixed.Amount(0)
	for _, l := range w.Lines {
		var err error
		if sum, err = fixed.Add(sum, l.Amount); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

var errNotCommit = errors.New("the key is not that of an epoch commit")

// Epoch implements Statement.
func (w *Why) Epoch() uint64 { return w.Anchor.Header.Epoch }

// Verify recomputes every term: certificate, commit, line range, each receipt's
// signature, place, price and shares, each line, their sum, and the bound on the
// sum of all payees. Errors: ErrFalse with the first check that failed, ErrTrust.
func (w *Why) Verify(t Trust) (Report, error) {
	var r Report
	if err := w.Anchor.verify(t, &r); err != nil {
		return r, err
	}
	id, ok := w.CommitID()
	if !ok {
		return r, fail("commit", errNotCommit)
	}
	c, err := proven[receipt.Commit](&r, &w.Anchor, w.Commit, w.Commit.Key, "epoch commit "+id.String())
	if err != nil {
		return r, err
	}
	if err := w.checkRange(&r, c); err != nil {
		return r, err
	}
	if err := w.checkReceipts(&r, c); err != nil {
		return r, err
	}
	split, err := econ.SplitGross(fixed.Amount(c.Receipts.Sum), c.Price, c.Rates)
	if err != nil {
		return r, fail("split", err)
	}
	if c.Lines.Sum > uint64(split.Contributors) {
		return r, failf("split", "all lines sum to %d, the contributors' part of %d is %d", c.Lines.Sum, split.Gross, split.Contributors)
	}
	r.pass("all lines of the epoch sum to %v, of the contributors' part %v of %v paid", fixed.Amount(c.Lines.Sum), split.Contributors, split.Gross)
	r.open("that the weights in the receipts are right: replay the answers")
	if c.Status != receipt.Settled {
		r.open("that the commit settles: its window is still open")
	}
	return r, nil
}

// checkRange verifies that Lines are the payee's whole run and sum to the proven
// difference of prefix sums.
func (w *Why) checkRange(r *Report, c receipt.Commit) error {
	first, end := w.Range.First, w.Range.End()
	amount, err := receipt.ClaimAmount(c.Lines, w.Payee, first.Index, end.Index, w.Range)
	if err != nil {
		return fail("line range", err)
	}
	if uint64(len(w.Lines)) != end.Index-first.Index+1 {
		return failf("line range", "%d lines shown, %d proven", len(w.Lines), end.Index-first.Index+1)
	}
	if !bytes.Equal(w.Lines[0].Encode(), first.Body) || !bytes.Equal(w.Lines[len(w.Lines)-1].Encode(), end.Body) {
		return failf("line range", "the first or last line shown is not the proven one")
	}
	for i, l := range w.Lines {
		if l.Payee != w.Payee || i > 0 && w.Lines[i-1].Receipt >= l.Receipt {
			return failf("line range", "line %d is of another payee or out of order", first.Index+uint64(i))
		}
	}
	sum, err := w.Amount()
	if err != nil || sum != amount {
		return failf("line range", "lines sum to %d, the prefix sums differ by %d", sum, amount)
	}
	r.pass("lines %d to %d of %d are all that %s has: %v", first.Index, end.Index, c.Lines.Count, short(w.Payee), amount)
	return nil
}

// checkReceipts verifies one receipt per line and recomputes the line from it.
func (w *Why) checkReceipts(r *Report, c receipt.Commit) error {
	if len(w.Receipts) != len(w.Lines) {
		return failf("receipts", "%d receipts for %d lines", len(w.Receipts), len(w.Lines))
	}
	for i, l := range w.Lines {
		if err := w.Receipts[i].check(w.Anchor.Header.ChainID, c, l); err != nil {
			return fail(fmt.Sprintf("receipt %d", l.Receipt), err)
		}
	}
	r.pass("%d receipts are signed by the operator and stand in the commit", len(w.Receipts))
	r.pass("every line is its receipt's share: price, split and weights recomputed")
	return nil
}

// check verifies the receipt against the commit and recomputes line l from it.
func (p *Part) check(chainID [32]byte, c receipt.Commit, l receipt.Line) error {
	rc := p.Signed.Receipt
	if p.Index != l.Receipt {
		return fmt.Errorf("the line is of receipt %d, not %d", l.Receipt, p.Index)
	}
	if err := p.Signed.Verify(chainID, c.Operator); err != nil {
		return err
	}
	if rc.Offer != c.Offer || rc.Model != c.Model || rc.Rule != c.Rule {
		return errors.New("of another offer, model or rule than the commit")
	}
	place := merkle.SumProof{Index: p.Index, Sum: uint64(rc.Gross), Body: rc.Encode(), Path: p.Path}
	if _, err := place.Verify(c.Receipts); err != nil {
		return err
	}
	shares, _, err := rc.Shares(c.Price, c.Rates)
	if err != nil {
		return err
	}
	if l.Attr >= uint64(len(shares)) || rc.Attr[l.Attr].Owner != l.Payee {
		return fmt.Errorf("entry %d of its attribution is not the payee", l.Attr)
	}
	if shares[l.Attr] != l.Amount {
		return fmt.Errorf("its share is %d, the line pays %d", shares[l.Attr], l.Amount)
	}
	return nil
}

// Encode returns the exact bytes.
func (w *Why) Encode() []byte { return enc.Encode(w) }

// DecodeWhy reads the exact bytes of a Why. Errors: ErrFormat.
func DecodeWhy(b []byte) (Why, error) {
	return decode(b, func(w *Why) (string, string) { return w.Format, FormatWhy })
}

type whyJSON struct {
	Format   string                  `json:"format"`
	Payee    keys.Address            `json:"payee"`
	Amount   fixed.Amount            `json:"amount"`
	Commit   channel.ID              `json:"commit"`
	Height   uint64                  `json:"height"` // of the header
	First    uint64                  `json:"first"`
	Lines    []receipt.Line          `json:"lines"`
	Receipts []receipt.SignedReceipt `json:"receipts"`
	Exact    []byte                  `json:"exact"`
}

// MarshalJSON prints the statement for people, with the exact bytes beside.
// Errors: ErrFormat if Commit proves something else or the lines overflow.
func (w Why) MarshalJSON() ([]byte, error) {
	id, ok := w.CommitID()
	if !ok {
		return nil, fmt.Errorf("%w: %w", ErrFormat, errNotCommit)
	}
	amount, err := w.Amount()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	j := whyJSON{
		Format: w.Format, Payee: w.Payee, Amount: amount, Commit: id, Height: w.Anchor.Header.Height,
		First: w.Range.First.Index, Lines: w.Lines, Exact: w.Encode(),
	}
	for _, p := range w.Receipts {
		j.Receipts = append(j.Receipts, p.Signed)
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON prints and refuses text that differs from
// the exact bytes. Errors: ErrFormat, ErrFalse.
func (w *Why) UnmarshalJSON(b []byte) (err error) {
	*w, err = fromJSON(b, DecodeWhy)
	return err
}
