// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/enc"
)

// MaxProofHeaders bounds a FinalityProof, as one headers request is (CONS-47).
const MaxProofHeaders = 512

// ErrProof reports a FinalityProof whose headers do not lead to its block.
var ErrProof = errors.New("headers do not lead to the finalized block")

// FinalityProof shows that header x is final: the Finalization of x or of a
// descendant, and the headers from just above x up to the finalized block, in
// rising height. Headers is empty when x itself is finalized (CONS-32). A seal is
// proved by itself or by a carrier above it (CONS-40).
type FinalityProof struct {
	_            struct{} `cbor:",toarray"`
	Finalization Certificate
	Headers      []header.Header
}

// Encode returns the canonical bytes.
func (p *FinalityProof) Encode() []byte { return enc.Encode(p) }

// DecodeProof reads a FinalityProof and checks its shape. Errors: ErrMalformed.
func DecodeProof(b []byte) (*FinalityProof, error) {
	var p FinalityProof
	if err := enc.Decode(b, &p); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(p.Headers) > MaxProofHeaders {
		return nil, fmt.Errorf("%w: %d headers, at most %d", ErrMalformed, len(p.Headers), MaxProofHeaders)
	}
	if err := p.Finalization.shape(); err != nil {
		return nil, err
	}
	return &p, nil
}

// Verify checks that x is final on chainID under set. A seal of a set with BLS
// keys wants an aggregate, so that one pairing proves an epoch's end to anybody.
// Cost: one certificate and one hash per header. Errors: as VerifyFinalization,
// and ErrProof.
func (p *FinalityProof) Verify(set *valset.Set, chainID [32]byte, x *header.Header) error {
	if err := VerifyFinalization(set, chainID, &p.Finalization); err != nil {
		return err
	}
	if x.Kind == header.KindSeal && set.Aggregates() && p.Finalization.Kind != Aggregate {
		return fmt.Errorf("%w: a seal without an aggregate", ErrProof)
	}
	if x.ChainID != chainID || x.Epoch != set.Epoch() || x.SetHash != set.Hash() {
		return fmt.Errorf("%w: header of another chain, epoch or set", ErrProof)
	}
	return p.Link(x.Hash())
}

// Link checks the hash links from the block named x to the finalized block,
// without the certificate. That they are of one epoch, the certificate shows:
// its signers have checked every link. Errors: ErrProof.
func (p *FinalityProof) Link(x header.Hash) error {
	at := x
	for i := range p.Headers {
		if p.Headers[i].Parent != at {
			return fmt.Errorf("%w: header %d does not name the one before", ErrProof, i)
		}
		at = p.Headers[i].Hash()
	}
	if at != p.Finalization.Hash() {
		return fmt.Errorf("%w: they end at another block", ErrProof)
	}
	return nil
}
