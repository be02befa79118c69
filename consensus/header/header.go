// SPDX-License-Identifier: Apache-2.0

package header

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/internal/vrf"
)

// Hash names a block: SHA-256 under the domain "header" (CONS-31).
type Hash = [32]byte

// Version is the protocol version of every header that this build makes.
const Version = 1

// Bounds of a header.
const (
	MaxBytes   = 1024    // encoded length
	MaxBatches = 4_096   // batch digests in one block
	MaxTxs     = 1 << 20 // transactions in one block
	MaxGap     = 60_000  // views between a block and its parent
)

// Kinds of a block (field 5). A seal is the last block of an epoch and names the
// next set. A carrier stands on it or on a carrier: it is no part of the chain,
// and its finality proves the seal's (CONS-40).
const (
	KindNormal  = 0
	KindSeal    = 1
	KindCarrier = 2
)

// Errors of Decode and Check.
var (
	ErrMalformed = errors.New("malformed header")
	ErrField     = errors.New("header field out of rule")
	// ErrUpgrade: a protocol version later than this program knows (CONS-42). What
	// has it cannot be judged here.
	ErrUpgrade = errors.New("unknown protocol version: install the newer release of openledger and start again on the same folder")
)

// Header is fields 0 to 21 of CONS-31, in their order. Times are Unix
// milliseconds. StateRoot and ReceiptsRoot are those after the parent block.
type Header struct {
	_             struct{} `cbor:",toarray"`
	Version       uint64
	ChainID       [32]byte // SHA-256 of the genesis document
	Epoch         uint64
	View          uint64
	Height        uint64 // parent's height + 1; a carrier's is the seal's
	Kind          uint64 // KindNormal, KindSeal or KindCarrier
	TimeMS        uint64 // greater than the parent's
	Parent        Hash
	ParentView    uint64   // 0 = the root of the epoch
	Justification [32]byte // RFC 6962 root of View-ParentView leaves
	Leader        uint64   // index in the set
	PayloadRoot   [32]byte // RFC 6962 root of the batch digests
	Batches       uint64   // number of batch digests
	Txs           uint64   // number of transactions
	StateRoot     [32]byte // after the parent
	ReceiptsRoot  [32]byte // after the parent
	SetHash       [32]byte
	NextSet       []byte   // hash of the next set in a seal, else empty
	VRF           []byte   // proof of the leader's draw, or empty (CONS-35)
	Beacon        [32]byte // R after this block
	Certify       uint64   // 1: its Finalization is an aggregate (CONS-32)
	CertifiedMS   uint64   // time of the latest certified block up to here
}

// Genesis returns the header of height 0 and view 0: the root of the first
// epoch, which is notarized and final by definition. timeMS is the genesis
// time. Its roots are zero; the state root of the genesis state stands in the
// header of height 1, and ChainID commits to the genesis document.
func Genesis(chainID, setHash [32]byte, epoch, timeMS uint64) Header {
	return Header{
		Version: Version, ChainID: chainID, Epoch: epoch, TimeMS: timeMS,
		SetHash: setHash, Beacon: sha256.Sum256(chainID[:]), CertifiedMS: timeMS,
	}
}

// Hash returns the name of the block. Cost: one encoding and one SHA-256.
func (h *Header) Hash() Hash { return keys.Sum(keys.DomainHeader, h) }

// Encode returns the canonical bytes.
func (h *Header) Encode() []byte { return enc.Encode(h) }

// Decode reads one header. It checks the encoding only; see Check.
// Errors: ErrMalformed.
func Decode(b []byte) (Header, error) {
	if len(b) > MaxBytes {
		return Header{}, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(b), MaxBytes)
	}
	var h Header
	if err := enc.Decode(b, &h); err != nil {
		return Header{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return h, nil
}

// Check tests every rule that a header shows on its face (CONS-31): version,
// kind and what it leaves empty, order of views, bounds, lengths. It does not
// know the parent. Errors: ErrField, and with it ErrUpgrade.
func (h *Header) Check() error {
	next := 0
	if h.Kind == KindSeal {
		next = 32
	}
	switch {
	case h.Version > Version:
		return fmt.Errorf("%w: %w: version %d, this program knows %d", ErrField, ErrUpgrade, h.Version, Version)
	case h.Version != Version:
		return fmt.Errorf("%w: version %d, want %d", ErrField, h.Version, Version)
	case h.Kind > KindCarrier:
		return fmt.Errorf("%w: kind %d", ErrField, h.Kind)
	case h.View == 0 || h.Height == 0:
		return fmt.Errorf("%w: view and height start at 1", ErrField)
	case h.ParentView >= h.View:
		return fmt.Errorf("%w: parent view %d is not below view %d", ErrField, h.ParentView, h.View)
	case h.View-h.ParentView > MaxGap:
		return fmt.Errorf("%w: %d views since the parent, at most %d", ErrField, h.View-h.ParentView, MaxGap)
	case h.Batches > MaxBatches || h.Txs > MaxTxs:
		return fmt.Errorf("%w: %d batches with %d transactions", ErrField, h.Batches, h.Txs)
	case (h.Txs == 0) != (h.Batches == 0) || h.Kind != KindNormal && h.Txs != 0:
		return fmt.Errorf("%w: %d batches with %d transactions in a block of kind %d", ErrField, h.Batches, h.Txs, h.Kind)
	case len(h.NextSet) != next:
		return fmt.Errorf("%w: next set of %d bytes in a block of kind %d", ErrField, len(h.NextSet), h.Kind)
	case len(h.VRF) != 0 && (len(h.VRF) != vrf.ProofSize || h.Kind == KindCarrier):
		return fmt.Errorf("%w: VRF of %d bytes in a block of kind %d", ErrField, len(h.VRF), h.Kind)
	case h.Certify > 1:
		return fmt.Errorf("%w: certify %d", ErrField, h.Certify)
	}
	return nil
}

// Ends reports whether c starts the epoch after the one that h seals.
func (h *Header) Ends(c *Header) bool { return h.Kind == KindSeal && c.Epoch == h.Epoch+1 }

// CheckChild tests every rule that ties c to its parent h, whose hash is
// parent, without keys and parameters (CONS-31): identity, height, time order,
// epoch and set, what a carrier repeats, certified time, and the beacon where no
// VRF feeds it. Rules and CheckBeacon test the rest. Errors: ErrField.
func (h *Header) CheckChild(parent Hash, c *Header) error {
	view, set, height := h.View, h.SetHash[:], h.Height+1
	if h.Ends(c) {
		view, set = 0, h.NextSet
	}
	carrier := h.Kind != KindNormal && !h.Ends(c)
	if carrier {
		height = h.Height
	}
	certified := h.CertifiedMS
	if c.Certify == 1 {
		certified = c.TimeMS
	}
	switch {
	case c.Parent != parent || c.ParentView != view:
		return fmt.Errorf("%w: not a child of view %d", ErrField, view)
	case c.ChainID != h.ChainID || c.Epoch != h.Epoch && !h.Ends(c) || !bytes.Equal(c.SetHash[:], set):
		return fmt.Errorf("%w: other chain, epoch or set than the parent's", ErrField)
	case carrier != (c.Kind == KindCarrier):
		return fmt.Errorf("%w: kind %d on kind %d", ErrField, c.Kind, h.Kind)
	case c.Height != height:
		return fmt.Errorf("%w: height %d on height %d", ErrField, c.Height, h.Height)
	case carrier && (c.StateRoot != h.StateRoot || c.ReceiptsRoot != h.ReceiptsRoot):
		return fmt.Errorf("%w: a carrier with other roots than its seal", ErrField)
	case c.TimeMS <= h.TimeMS:
		return fmt.Errorf("%w: time %d ms not after the parent's %d ms", ErrField, c.TimeMS, h.TimeMS)
	case c.CertifiedMS != certified:
		return fmt.Errorf("%w: certified time %d ms, want %d ms", ErrField, c.CertifiedMS, certified)
	case len(c.VRF) == 0 && c.Beacon != h.Beacon:
		return fmt.Errorf("%w: beacon changed without a VRF", ErrField)
	}
	return nil
}

// PayloadRoot returns the RFC 6962 root over the batch digests (field 11).
func PayloadRoot(digests [][32]byte) [32]byte {
	leaves := make([][]byte, len(digests))
	for i := range digests {
		leaves[i] = digests[i][:]
	}
	return merkle.Root(leaves)
}
