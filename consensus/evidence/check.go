// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

// Offence is one validator's guilt. A ledger punishes once per Address, Epoch,
// View and Class.
type Offence struct {
	Index   int // in the set of Epoch
	Address keys.Address
	Epoch   uint64
	View    uint64 // 0 for BadBatch
	Kind    Kind
	Class   Class
}

// Court is what a verdict depends on beside the evidence. Set is of the
// evidence's epoch. Seed and BadTx may be nil: then BadLeader and BadBatch give
// ErrJudge.
type Court struct {
	ChainID [32]byte
	Set     *valset.Set
	Seed    *[32]byte            // orders the leaders of the epoch (CONS-41)
	BadTx   func(tx []byte) bool // no state makes tx valid; a pure function
}

// Check judges e under the set of its epoch: Court.Check without Seed and BadTx.
func Check(set *valset.Set, chainID [32]byte, e *Evidence) ([]Offence, error) {
	return Court{ChainID: chainID, Set: set}.Check(e)
}

// Check verifies every signature in e and that what they sign breaks a rule. It
// returns one offence per accused validator in set order, at least one, or an
// error: evidence that accuses one validator wrongly convicts nobody. The
// verdict is a function of the arguments. Cost: one batched Ed25519 check per
// signature, at most 508; for a BadLeaf one certificate more;
// for an aggregate or a share one pairing check of 3 ms. Errors: ErrMalformed, ErrEpoch,
// ErrSignature, ErrNoFault, ErrJudge.
func (c Court) Check(e *Evidence) ([]Offence, error) {
	if e == nil || e.body() == nil {
		return nil, fmt.Errorf("%w: not exactly one part is set", ErrMalformed)
	}
	if e.Epoch() != c.Set.Epoch() {
		return nil, fmt.Errorf("%w: %d, want %d", ErrEpoch, e.Epoch(), c.Set.Epoch())
	}
	var err error
	switch {
	case e.Conflict != nil:
		err = c.conflict(e.Conflict)
	case e.Unjust != nil:
		err = c.unjust(e.Unjust)
	case e.Share != nil:
		err = c.share(e.Share)
	default:
		err = c.batch(e.Batch)
	}
	if err != nil {
		return nil, err
	}
	var out []Offence
	for _, i := range e.Signers() {
		out = append(out, Offence{
			Index: i, Address: c.Set.Entry(i).Address, Epoch: e.Epoch(), View: e.View(), Kind: e.Kind(), Class: e.Kind().Class(),
		})
	}
	return out, nil
}

func (c Court) conflict(e *Conflict) error {
	if err := e.shape(); err != nil {
		return err
	}
	if err := e.A.verify(c.Set, c.ChainID, e.View); err != nil {
		return err
	}
	return e.B.verify(c.Set, c.ChainID, e.View)
}

func (s *Share) shape() error {
	switch {
	case s.Kind != BadShare || s.View == 0:
		return fmt.Errorf("%w: kind %d of view %d in a share", ErrMalformed, uint64(s.Kind), s.View)
	case len(s.Vote.Share) == 0:
		return fmt.Errorf("%w: a vote without a share", ErrMalformed)
	}
	return s.Vote.shape()
}

func (c Court) share(s *Share) error {
	if err := s.shape(); err != nil {
		return err
	}
	if err := s.Vote.verify(c.Set, c.ChainID, s.View); err != nil {
		return err
	}
	if !c.Set.Aggregates() {
		return nil // nobody may sign a share at all
	}
	k, err := c.Set.BLS()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrJudge, err)
	}
	if k.Verify(s.Vote.list()[0], cert.FinalBytes(c.ChainID, s.Epoch, s.View, s.Vote.Block), bls.Signature(s.Vote.Share)) == nil {
		return fmt.Errorf("%w: the share of view %d holds", ErrNoFault, s.View)
	}
	return nil
}

func (b *Batch) shape() error {
	switch {
	case b.Kind != BadBatch:
		return fmt.Errorf("%w: kind %d in a batch", ErrMalformed, uint64(b.Kind))
	case b.Author >= valset.MaxValidators:
		return fmt.Errorf("%w: author %d", ErrMalformed, b.Author)
	case b.Index >= b.Count:
		return fmt.Errorf("%w: transaction %d of %d", ErrMalformed, b.Index, b.Count)
	case len(b.Path) > 64:
		return fmt.Errorf("%w: path of %d hashes", ErrMalformed, len(b.Path))
	}
	return nil
}

func (c Court) batch(b *Batch) error {
	if err := b.shape(); err != nil {
		return err
	}
	if b.Author >= uint64(c.Set.Len()) {
		return fmt.Errorf("%w: author %d of %d validators", ErrMalformed, b.Author, c.Set.Len())
	}
	digest := keys.Sum(keys.DomainBatch, c.ChainID, b.Epoch, b.Author, b.Seq, b.Count, b.Root)
	if !keys.Verify(c.Set.Key(int(b.Author)), digest[:], b.Sig) {
		return fmt.Errorf("%w: batch %d of validator %d", ErrSignature, b.Seq, b.Author)
	}
	if err := merkle.Verify(b.Root, b.Tx, b.Index, b.Count, b.Path); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch {
	case c.BadTx == nil:
		return fmt.Errorf("%w: a transaction", ErrJudge)
	case !c.BadTx(b.Tx):
		return fmt.Errorf("%w: transaction %d of the batch is valid", ErrNoFault, b.Index)
	}
	return nil
}

// OfBatch makes evidence against the author of b, whose transaction number i no
// state makes valid. None if it is over MaxBytes: so long a transaction cannot
// be shown. Nothing is checked.
func OfBatch(b *msg.Batch, i int) []Evidence {
	path, err := merkle.Prove(b.Txs, uint64(i))
	if err != nil {
		return nil
	}
	e := Evidence{Batch: &Batch{
		Kind: BadBatch, Epoch: b.Epoch, Author: b.Author, Seq: b.Seq, Count: uint64(len(b.Txs)), Root: merkle.Root(b.Txs),
		Sig: b.Sig, Index: uint64(i), Tx: b.Txs[i], Path: path,
	}}
	if len(e.Encode()) > MaxBytes {
		return nil
	}
	return []Evidence{e}
}
