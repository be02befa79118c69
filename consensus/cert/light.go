// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
)

// Errors of Light.
var (
	// ErrTrustExpired means that the trusted header is so old that those who
	// signed then may have taken their stake back and can lie for free. Get a
	// newer header hash from somebody you trust.
	ErrTrustExpired = errors.New("the trusted header is older than the trust period")
	// ErrLight reports a step that does not lead on from what is trusted.
	ErrLight = errors.New("does not follow from the trusted header")
)

// Light follows the validator sets of a chain from one trusted header, seal by
// seal, and checks statements of the present epoch (CONS-49). It believes nothing
// but that first header: what it accepts afterwards was signed by a quorum of a
// set that the epoch before had named.
//
// It holds one set and one header. A value is for one goroutine.
type Light struct {
	set *valset.Set
	at  header.Header
}

// NewLight starts from a header that the caller trusts by its hash, be it genesis,
// an own final block or a checkpoint, and the set that it names: of its own epoch,
// or, if it is a seal, of the next. Errors: ErrLight if it names another set,
// valset.ErrSet. Cost: 0.5 ms per validator with a BLS key.
func NewLight(trusted header.Header, set *valset.Set) (*Light, error) {
	own := set.Epoch() == trusted.Epoch && set.Hash() == trusted.SetHash
	if !own && !names(&trusted, set) {
		return nil, fmt.Errorf("%w: the validator set of epoch %d is not the one that height %d names", ErrLight, set.Epoch(), trusted.Height)
	}
	set, err := set.Prepared()
	if err != nil {
		return nil, err
	}
	return &Light{set: set, at: trusted}, nil
}

// names reports whether next is the set that a seal elects.
func names(seal *header.Header, next *valset.Set) bool {
	hash := next.Hash()
	return seal.Kind == header.KindSeal && next.Epoch() == seal.Epoch+1 && bytes.Equal(seal.NextSet, hash[:])
}

// Set returns the validator set of the present epoch.
func (l *Light) Set() *valset.Set { return l.set }

// At returns the newest header that is trusted: the first one, then the seals.
func (l *Light) At() header.Header { return l.at }

// Expired reports whether trust in At has run out at the time wallMS, when headers
// may be relied on for periodMS: two thirds of the unbonding time (CONS-49).
// Errors: ErrTrustExpired.
func (l *Light) Expired(wallMS, periodMS uint64) error {
	if l.at.TimeMS+periodMS < wallMS {
		return fmt.Errorf("%w: height %d is %d s old, trusted for %d s", ErrTrustExpired, l.at.Height, (wallMS-l.at.TimeMS)/1_000, periodMS/1_000)
	}
	return nil
}

// Advance ends the present epoch with its seal and continues with the set that the
// seal elects. After an error nothing has changed. Cost: one certificate, of a set
// with BLS keys one pairing, and 0.5 ms per validator of the next set.
//
// Errors: ErrLight, header.ErrField, and those of FinalityProof.Verify.
func (l *Light) Advance(seal *header.Header, p *FinalityProof, next *valset.Set) error {
	switch {
	case seal.Kind != header.KindSeal || seal.Epoch != l.set.Epoch():
		return fmt.Errorf("%w: height %d is no seal of epoch %d", ErrLight, seal.Height, l.set.Epoch())
	case !names(seal, next):
		return fmt.Errorf("%w: the seal of epoch %d elects another set", ErrLight, seal.Epoch)
	case l.at.Epoch == seal.Epoch && l.behind(seal):
		return fmt.Errorf("%w: seal at height %d, trusted is height %d", ErrLight, seal.Height, l.at.Height)
	}
	if err := l.CheckHeader(p, seal); err != nil {
		return err
	}
	prepared, err := next.Prepared()
	if err != nil {
		return err
	}
	l.set, l.at = prepared, *seal
	return nil
}

// behind reports whether a header contradicts the trusted one of its epoch: it
// stands no higher and is not the same.
func (l *Light) behind(h *header.Header) bool {
	return h.Height <= l.at.Height && h.Hash() != l.at.Hash()
}

// CheckHeader checks that h, of the present epoch, is final. Errors: header.ErrField
// and those of FinalityProof.Verify.
func (l *Light) CheckHeader(p *FinalityProof, h *header.Header) error {
	if err := h.Check(); err != nil {
		return err
	}
	return p.Verify(l.set, l.at.ChainID, h)
}

// Check checks that h is final, or the trusted header itself, and that the statement
// of s holds in the state after the block before h. Errors: as CheckHeader, merkle.ErrShape,
// merkle.ErrRoot, merkle.ErrSize.
func (l *Light) Check(p *FinalityProof, h *header.Header, s *merkle.StateProof) error {
	if h.Hash() != l.at.Hash() {
		if err := l.CheckHeader(p, h); err != nil {
			return err
		}
	}
	return s.Verify(h.StateRoot)
}

// Seal is the end of one epoch as it is stored and sent: the seal's header, the
// proof that it is final, and the set that it elects (valset.Set.Encode). With 150
// validators it has about 32 KiB.
type Seal struct {
	_      struct{} `cbor:",toarray"`
	Header header.Header
	Proof  FinalityProof
	Next   []byte
}

// Encode returns the canonical bytes.
func (s *Seal) Encode() []byte { return enc.Encode(s) }

// DecodeSeal reads a Seal and checks its form only; see Light.Take. Errors:
// ErrMalformed.
func DecodeSeal(b []byte) (*Seal, error) {
	var s Seal
	if err := enc.Decode(b, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(s.Proof.Headers) > MaxProofHeaders {
		return nil, fmt.Errorf("%w: %d headers, at most %d", ErrMalformed, len(s.Proof.Headers), MaxProofHeaders)
	}
	return &s, nil
}

// Take is Advance over a Seal. Errors: valset.ErrSet and those of Advance.
func (l *Light) Take(s *Seal) error {
	next, err := valset.Decode(s.Next)
	if err != nil {
		return err
	}
	return l.Advance(&s.Header, &s.Proof, next)
}
