// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/proof"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// cachedBook is a book in memory.
type cachedBook struct {
	root   merkle.SumRoot
	book   *receipt.Book
	signed []receipt.SignedReceipt
}

// build makes the book of an epoch and offer from the receipts on disk. Errors:
// ErrUnknown if there are none, those of receipt.NewBook.
func (t *Till) build(b bookID, price econ.Price, rates econ.Rates) (*receipt.Book, []receipt.SignedReceipt, error) {
	list, err := t.db.book(b)
	if err != nil {
		return nil, nil, err
	}
	if len(list) == 0 {
		return nil, nil, ErrUnknown
	}
	signed := make([]receipt.SignedReceipt, len(list))
	plain := make([]receipt.Receipt, len(list))
	for i, a := range list {
		signed[i], plain[i] = a.Answer.Receipt, a.Answer.Receipt.Receipt
	}
	book, err := receipt.NewBook(plain, price, rates)
	return book, signed, err
}

// committed returns the book behind a commit of this operator. Errors:
// ErrUnknown if the commit is another operator's, or the receipts are not those
// that it covers.
func (t *Till) committed(v state.View, id ID) (cachedBook, error) {
	c, err := state.GetCommit(v, id)
	if err != nil {
		return cachedBook{}, err
	}
	if c.Operator != t.cfg.Services.Operator() {
		return cachedBook{}, fmt.Errorf("commit %v of operator %v: %w", id, c.Operator, ErrUnknown)
	}
	t.desk <- struct{}{}
	defer func() { <-t.desk }()
	for _, b := range t.books {
		if b.root == c.Receipts {
			return b, nil
		}
	}
	book, signed, err := t.build(bookID{c.Epoch, c.Offer}, c.Price, c.Rates)
	if err != nil {
		return cachedBook{}, err
	}
	if book.ReceiptRoot != c.Receipts || book.LineRoot != c.Lines {
		return cachedBook{}, fmt.Errorf("commit %v: %w", id, ErrUnknown)
	}
	b := cachedBook{root: c.Receipts, book: book, signed: signed}
	t.books = append(t.books[max(0, len(t.books)-maxBooks+1):], b)
	return b, nil
}

// Why states what a payee earned under a commit of this operator, for the final
// header a and the state proof of the commit under it. Errors: ErrUnknown,
// state.ErrUnknown, receipt.ErrNone, ErrTooMany.
func (t *Till) Why(commit ID, a proof.Anchor, at merkle.StateProof, payee keys.Address) (proof.Why, error) {
	v, err := t.cfg.Services.View()
	if err != nil {
		return proof.Why{}, err
	}
	b, err := t.committed(v, commit)
	if err != nil {
		return proof.Why{}, err
	}
	first, last, err := b.book.Run(payee)
	if err != nil {
		return proof.Why{}, err
	}
	if last-first >= maxWhy {
		return proof.Why{}, fmt.Errorf("%w: %d, at most %d", ErrTooMany, last-first+1, maxWhy)
	}
	t.desk <- struct{}{}
	defer func() { <-t.desk }()
	return proof.NewWhy(a, at, b.book, b.signed, payee)
}

// Claim is the transaction that pays a payee under a commit of this operator,
// and what it pays. Errors: as Why, without ErrTooMany.
func (t *Till) Claim(commit ID, payee keys.Address) (tx.ClaimEpoch, fixed.Amount, error) {
	v, err := t.cfg.Services.View()
	if err != nil {
		return tx.ClaimEpoch{}, 0, err
	}
	b, err := t.committed(v, commit)
	if err != nil {
		return tx.ClaimEpoch{}, 0, err
	}
	run, err := runOf(b.book, payee)
	if err != nil {
		return tx.ClaimEpoch{}, 0, err
	}
	first, last, p, err := b.book.Claim(payee)
	return tx.ClaimEpoch{Commit: commit, Payee: payee, First: first, Last: last, Proof: p}, run.Amount, err
}

// Owed is what one commit pays an account: its lines from First on.
type Owed struct {
	_      struct{} `cbor:",toarray"`
	Commit ID
	First  uint64
	Amount fixed.Amount
}

// Owed lists what the commits of this operator pay an account, by epoch.
func (t *Till) Owed(payee keys.Address) ([]Owed, error) {
	v, err := t.cfg.Services.View()
	if err != nil {
		return nil, err
	}
	runs, err := t.db.runs(payee)
	if err != nil {
		return nil, err
	}
	out := []Owed{}
	for _, r := range runs {
		id, err := state.CommitOf(v, t.cfg.Services.Operator(), r.book.epoch, r.book.offer)
		if errors.Is(err, state.ErrUnknown) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, Owed{Commit: id, First: r.run.First, Amount: r.run.Amount})
	}
	return out, nil
}

// Lanes returns the newest voucher held on each lane of a channel, by offer.
func (t *Till) Lanes(ch ID) ([]channel.SignedVoucher, error) {
	out := []channel.SignedVoucher{}
	err := t.db.lanes(&ch, func(_ laneID, l laneRecord) bool {
		out = append(out, l.Newest)
		return true
	})
	return out, err
}
