// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/keys"
)

// Trust is what the reader of a statement knows from elsewhere. At least one of
// Header and Set must be given; a zero field is not compared.
type Trust struct {
	ChainID [32]byte // which ledger
	Header  [32]byte // hash of a block known to be final
	Set     [32]byte // hash of the validator set (valset.Set.Hash)
}

// Anchor is a final header with its certificate and the set that signed it. The
// state root that it carries is that after the block before it. Spec: STA-05.
type Anchor struct {
	_      struct{} `cbor:",toarray"`
	Header header.Header
	Final  cert.FinalityProof
	Set    []byte // valset.Set.Encode
}

// NewAnchor bundles a header with the proof that set made it final.
func NewAnchor(h header.Header, final cert.FinalityProof, set *valset.Set) Anchor {
	return Anchor{Header: h, Final: final, Set: set.Encode()}
}

// StateHeight is the height after which the anchored state holds.
func (a *Anchor) StateHeight() uint64 { return a.Header.Height - 1 }

var errDiffers = errors.New("differs from what you trust")

// verify checks the certificate and then that the header is the trusted one or
// the set the trusted one.
func (a *Anchor) verify(t Trust, r *Report) error {
	if t.Header == ([32]byte{}) && t.Set == ([32]byte{}) {
		return ErrTrust
	}
	if err := a.Header.Check(); err != nil {
		return fail("header", err)
	}
	set, err := valset.Decode(a.Set)
	if err != nil {
		return fail("validator set", err)
	}
	if a.Header.ChainID != t.ChainID && t.ChainID != ([32]byte{}) {
		return fail("chain", errDiffers)
	}
	if err := a.Final.Verify(set, a.Header.ChainID, &a.Header); err != nil {
		return fail("certificate", err)
	}
	r.pass("block %d is final: %d of %d validators signed, the quorum holds", a.Header.Height, a.Final.Finalization.Count(), set.Len())
	if hash := a.Header.Hash(); t.Header != ([32]byte{}) {
		if hash != t.Header {
			return fail("header hash", errDiffers)
		}
		r.pass("block hash is the one you gave: %x", hash)
	}
	if t.Set != ([32]byte{}) {
		if set.Hash() != t.Set {
			return fail("validator set hash", errDiffers)
		}
		r.pass("validator set is the one you gave: %x", t.Set)
	} else {
		r.open("that the validators who signed are those of the genesis: give the set hash to check it")
	}
	return nil
}

// short names an account in a report.
func short(a keys.Address) string { return fmt.Sprintf("%.14s…", a.String()) }
