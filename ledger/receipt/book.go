// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/econ"
)

// Line is one payment: Amount base units to Payee for entry Attr of receipt
// number Receipt. The lines of an epoch are sorted by (Payee, Receipt); a share
// that rounds to zero keeps its line. Spec: RCP-03.
type Line struct {
	_       struct{}     `cbor:",toarray"`
	Payee   keys.Address `json:"payee"`
	Receipt uint64       `json:"receipt"`
	Attr    uint64       `json:"attr"`
	Amount  fixed.Amount `json:"amount"`
}

// Encode returns the bytes that the line tree commits to.
func (l Line) Encode() []byte { return enc.Encode(l) }

// Compare orders lines by (Payee, Receipt, Attr).
func (l Line) Compare(m Line) int {
	return cmp.Or(l.Payee.Compare(m.Payee), cmp.Compare(l.Receipt, m.Receipt), cmp.Compare(l.Attr, m.Attr))
}

// Book is all that one operator served under one offer in one ledger epoch:
// receipts by ascending (channel, nonce), their lines, and the roots that an
// EpochCommit carries. It is immutable.
type Book struct {
	Receipts    []Receipt
	Lines       []Line
	ReceiptRoot merkle.SumRoot // sums are Gross
	LineRoot    merkle.SumRoot // sums are Amount
	Left        fixed.Amount   // contributors' parts that no line names

	leaves []merkle.SumLeaf // of the receipt tree
}

// NewBook sorts receipts, computes every line and both trees. The input is not
// changed; the same set in any order gives the same book.
//
// Cost: O(n log n), 6n hashes. Errors: ErrBook if receipts is empty, names two
// offers or models, or has two entries for one (channel, nonce); ErrFormat and
// ErrPrice of a receipt; merkle.ErrSum. Spec: RCP-03.
func NewBook(receipts []Receipt, p econ.Price, rates econ.Rates) (*Book, error) {
	if len(receipts) == 0 {
		return nil, fmt.Errorf("%w: none", ErrBook)
	}
	b := &Book{Receipts: slices.Clone(receipts), Lines: []Line{}}
	slices.SortFunc(b.Receipts, compareReceipts)
	for i, r := range b.Receipts {
		if r.Offer != b.Receipts[0].Offer || r.Model != b.Receipts[0].Model {
			return nil, fmt.Errorf("%w: receipt %d is of another offer or model", ErrBook, i)
		}
		if i > 0 && compareReceipts(b.Receipts[i-1], r) == 0 {
			return nil, fmt.Errorf("%w: two receipts for nonce %d of channel %v", ErrBook, r.Nonce, r.Channel)
		}
		shares, left, err := r.Shares(p, rates)
		if err != nil {
			return nil, fmt.Errorf("receipt %d: %w", i, err)
		}
		if b.Left, err = fixed.Add(b.Left, left); err != nil {
			return nil, err
		}
		for j, amount := range shares {
			b.Lines = append(b.Lines, Line{Payee: r.Attr[j].Owner, Receipt: uint64(i), Attr: uint64(j), Amount: amount})
		}
	}
	slices.SortFunc(b.Lines, Line.Compare)
	b.leaves = receiptLeaves(b.Receipts)
	var err error
	if b.ReceiptRoot, err = merkle.SumTree(b.leaves); err != nil {
		return nil, err
	}
	b.LineRoot, err = merkle.SumTree(lineLeaves(b.Lines))
	return b, err
}

func compareReceipts(a, b Receipt) int {
	return cmp.Or(bytes.Compare(a.Channel[:], b.Channel[:]), cmp.Compare(a.Nonce, b.Nonce))
}

func receiptLeaves(rs []Receipt) []merkle.SumLeaf {
	out := make([]merkle.SumLeaf, len(rs))
	for i, r := range rs {
		out[i] = merkle.SumLeaf{Sum: uint64(r.Gross), Body: r.Encode()}
	}
	return out
}

func lineLeaves(ls []Line) []merkle.SumLeaf {
	out := make([]merkle.SumLeaf, len(ls))
	for i, l := range ls {
		out[i] = merkle.SumLeaf{Sum: uint64(l.Amount), Body: l.Encode()}
	}
	return out
}

// Payees returns every payee with at least one line, ascending.
func (b *Book) Payees() []keys.Address {
	var out []keys.Address
	for _, l := range b.Lines {
		if len(out) == 0 || out[len(out)-1] != l.Payee {
			out = append(out, l.Payee)
		}
	}
	return out
}

// Run returns the index of the payee's first and last line. Errors: ErrNone.
func (b *Book) Run(payee keys.Address) (first, last uint64, err error) {
	from, found := slices.BinarySearchFunc(b.Lines, payee, func(l Line, a keys.Address) int { return l.Payee.Compare(a) })
	if !found {
		return 0, 0, fmt.Errorf("%w: %v", ErrNone, payee)
	}
	to := from
	for to+1 < len(b.Lines) && b.Lines[to+1].Payee == payee {
		to++
	}
	return uint64(from), uint64(to), nil
}

// Claim returns the arguments of ClaimEpoch for payee. Cost: O(n) hashes.
// Errors: ErrNone.
func (b *Book) Claim(payee keys.Address) (first, last uint64, proof RangeProof, err error) {
	if first, last, err = b.Run(payee); err != nil {
		return 0, 0, RangeProof{}, err
	}
	proof, err = merkle.ProveSumRange(lineLeaves(b.Lines), first, last)
	return first, last, proof, err
}

// ProveReceipt proves that receipt i is in the receipt tree. Cost: O(n) hashes.
// Errors: merkle.ErrIndex.
func (b *Book) ProveReceipt(i uint64) (merkle.SumProof, error) {
	return merkle.ProveSum(b.leaves, i)
}
