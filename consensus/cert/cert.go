// SPDX-License-Identifier: Apache-2.0

package cert

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
)

// Kind numbers everything that validators sign (1 to 4, CONS-10) and the
// certificates made of it (5 to 7, CONS-11).
type Kind uint64

// The kinds. A certified block (CONS-32) is finalized by an Aggregate, every
// other one by a Finalization.
const (
	Proposal      Kind = 1
	Notarize      Kind = 2
	Nullify       Kind = 3
	Finalize      Kind = 4
	Notarization  Kind = 5
	Nullification Kind = 6
	Finalization  Kind = 7
	Aggregate     Kind = 8
)

// Errors of Decode and Verify (CONS-13).
var (
	ErrMalformed = errors.New("malformed consensus message")
	ErrNotMember = errors.New("signer is not in the validator set")
	ErrSignature = errors.New("signature does not hold")
	ErrEpoch     = errors.New("message of another epoch")
	ErrQuorum    = errors.New("signers hold less than a quorum")
)

// String names the kind as the protocol text does.
func (k Kind) String() string {
	names := [...]string{"Proposal", "Notarize", "Nullify", "Finalize", "Notarization", "Nullification", "Finalization", "Aggregate"}
	if k < 1 || int(k) > len(names) {
		return fmt.Sprintf("Kind(%d)", uint64(k))
	}
	return names[k-1]
}

// Vote returns the kind of vote that a certificate of kind k is made of, or 0.
func (k Kind) Vote() Kind {
	switch {
	case k == Aggregate:
		return Finalize
	case k < Notarization || k > Aggregate:
		return 0
	}
	return k - 3
}

// Final reports whether a certificate of kind k makes its block final.
func (k Kind) Final() bool { return k == Finalization || k == Aggregate }

// Certificate is a quorum's votes of one kind (CONS-11). Block is 32 bytes, or
// empty in a Nullification. Signers is a bitmap, least significant bit first,
// in set order; Sigs are the 64-byte signatures in bit order, joined, or in an
// Aggregate the 48-byte sum of the signers' shares.
//
// A Certificate is never changed after it was made; share it freely.
type Certificate struct {
	_       struct{} `cbor:",toarray"`
	Kind    Kind
	Epoch   uint64
	View    uint64
	Block   []byte
	Signers []byte
	Sigs    []byte
}

// SignBytes returns the bytes that a validator signs (CONS-10). block is nil for
// Nullify.
func SignBytes(chainID [32]byte, kind Kind, epoch, view uint64, block []byte) []byte {
	return ShareBytes(chainID, kind, epoch, view, block, []byte{})
}

// ShareBytes returns the bytes that a validator signs with a vote that carries a
// share: a Finalize of a certified block.
func ShareBytes(chainID [32]byte, kind Kind, epoch, view uint64, block, share []byte) []byte {
	return keys.Dom(keys.DomainVote, chainID, uint64(kind), epoch, view, block, share)
}

// FinalBytes returns the bytes that a share signs (CONS-12).
func FinalBytes(chainID [32]byte, epoch, view uint64, block []byte) []byte {
	return keys.Dom(keys.DomainFinal, chainID, epoch, view, block)
}

// Encode returns the canonical bytes.
func (c *Certificate) Encode() []byte { return enc.Encode(c) }

// Decode reads a certificate and checks its shape, not its signatures.
// Errors: ErrMalformed.
func Decode(b []byte) (*Certificate, error) {
	var c Certificate
	if err := enc.Decode(b, &c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := c.shape(); err != nil {
		return nil, err
	}
	return &c, nil
}

func (c *Certificate) shape() error {
	want := 32
	if c.Kind == Nullification {
		want = 0
	}
	switch {
	case c.Kind.Vote() == 0:
		return fmt.Errorf("%w: kind %d is no certificate", ErrMalformed, uint64(c.Kind))
	case len(c.Block) != want:
		return fmt.Errorf("%w: %v with a block of %d bytes", ErrMalformed, c.Kind, len(c.Block))
	case c.View == 0:
		return fmt.Errorf("%w: %v of view 0", ErrMalformed, c.Kind)
	case len(c.Signers) == 0 || len(c.Signers) > valset.MaxValidators/8:
		return fmt.Errorf("%w: bitmap of %d bytes", ErrMalformed, len(c.Signers))
	case c.Kind == Aggregate && len(c.Sigs) != bls.SignatureSize:
		return fmt.Errorf("%w: sum of shares of %d bytes", ErrMalformed, len(c.Sigs))
	case c.Kind != Aggregate && len(c.Sigs) != 64*c.Count():
		return fmt.Errorf("%w: %d bytes of signatures for %d signers", ErrMalformed, len(c.Sigs), c.Count())
	}
	return nil
}

// Hash returns the block as an array, zero for a Nullification.
func (c *Certificate) Hash() (h header.Hash) {
	copy(h[:], c.Block)
	return h
}

// Count returns the number of signers.
func (c *Certificate) Count() int {
	n := 0
	for _, b := range c.Signers {
		n += bits.OnesCount8(b)
	}
	return n
}

// Has reports whether validator i signed.
func (c *Certificate) Has(i int) bool {
	return i >= 0 && i/8 < len(c.Signers) && c.Signers[i/8]>>(i%8)&1 == 1
}

// Verify checks the bitmap, the quorum and every signature (CONS-11). Cost: one
// batched Ed25519 check per signer; for an Aggregate one pairing check of 3 ms,
// if the set is Prepared. Errors: ErrMalformed, ErrEpoch, ErrNotMember,
// ErrQuorum, ErrSignature.
func (c *Certificate) Verify(set *valset.Set, chainID [32]byte) error {
	return c.VerifyRest(set, chainID, nil)
}

// VerifyRest is Verify for whoever has checked some of the list's signatures
// before: those of the validators in known, a bitmap like Signers, are taken as
// good. An Aggregate is always checked as a whole.
func (c *Certificate) VerifyRest(set *valset.Set, chainID [32]byte, known []byte) error {
	if err := c.shape(); err != nil {
		return err
	}
	if c.Epoch != set.Epoch() {
		return fmt.Errorf("%w: %d, want %d", ErrEpoch, c.Epoch, set.Epoch())
	}
	n := set.Len()
	if len(c.Signers) != (n+7)/8 {
		return fmt.Errorf("%w: bitmap of %d bytes for %d validators", ErrMalformed, len(c.Signers), n)
	}
	power := uint64(0)
	for i := range 8 * len(c.Signers) {
		switch {
		case !c.Has(i):
		case i >= n:
			return fmt.Errorf("%w: bit %d of %d validators", ErrNotMember, i, n)
		default:
			power += set.Power(i)
		}
	}
	if power < set.Quorum() {
		return fmt.Errorf("%w: power %d, want %d", ErrQuorum, power, set.Quorum())
	}
	if c.Kind == Aggregate {
		return c.verifySum(set, chainID)
	}
	return c.verifyList(set, chainID, known)
}

func (c *Certificate) verifyList(set *valset.Set, chainID [32]byte, known []byte) error {
	var msg []byte
	var batch keys.BatchVerifier
	for i, sig := range c.Each {
		if i/8 < len(known) && known[i/8]>>(i%8)&1 == 1 {
			continue
		}
		if msg == nil {
			msg = SignBytes(chainID, c.Kind.Vote(), c.Epoch, c.View, c.Block)
		}
		set.Queue(&batch, i, msg, sig)
	}
	for _, ok := range batch.Verify() {
		if !ok {
			return fmt.Errorf("%w: %v of view %d", ErrSignature, c.Kind, c.View)
		}
	}
	return nil
}

func (c *Certificate) verifySum(set *valset.Set, chainID [32]byte) error {
	if !set.Aggregates() {
		return fmt.Errorf("%w: aggregate of a set without BLS keys", ErrMalformed)
	}
	k, err := set.BLS()
	if err != nil {
		return err
	}
	if err := k.VerifyAggregate(c.Has, FinalBytes(chainID, c.Epoch, c.View, c.Block), bls.Signature(c.Sigs)); err != nil {
		return fmt.Errorf("%w: %v of view %d: %w", ErrSignature, c.Kind, c.View, err)
	}
	return nil
}

// Each calls f with each signer and its signature in set order, until f returns
// false. An Aggregate has no single signatures, and f is not called.
func (c *Certificate) Each(f func(i int, sig keys.Signature) bool) {
	if c.Kind == Aggregate {
		return
	}
	for i, j := 0, 0; i < 8*len(c.Signers) && 64*j+64 <= len(c.Sigs); i++ {
		if !c.Has(i) {
			continue
		}
		if !f(i, keys.Signature(c.Sigs[64*j:])) {
			return
		}
		j++
	}
}

// VerifyFinalization checks that fin is a Finalization or an Aggregate by set on
// this chain. It is all that sync and a light reader need. Errors: as
// Certificate.Verify.
func VerifyFinalization(set *valset.Set, chainID [32]byte, fin *Certificate) error {
	if fin == nil || !fin.Kind.Final() {
		return fmt.Errorf("%w: not a Finalization", ErrMalformed)
	}
	return fin.Verify(set, chainID)
}
