// SPDX-License-Identifier: Apache-2.0

package header

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
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

// Kinds of a block (field 5). This build makes and accepts normal blocks only.
const (
	KindNormal  = 0
	KindSeal    = 1
	KindCarrier = 2
)

// Errors of Decode and Check.
var (
	ErrMalformed = errors.New("malformed header")
	ErrField     = errors.New("header field out of rule")
)

// Header is fields 0 to 21 of CONS-31, in their order. Times are Unix
// milliseconds. StateRoot and ReceiptsRoot are those after the parent block.
type Header struct {
	_             struct{} `cbor:",toarray"`
	Version       uint64
	ChainID       [32]byte // SHA-256 of the genesis document
	Epoch         uint64
	View          uint64
	Height        uint64 // parent's height + 1
	Kind          uint64 // KindNormal
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
	NextSet       []byte // empty: no seals in this build
	VRF           []byte // empty: no VRF in this build
	Beacon        [32]byte
	Certify       uint64 // 0: no BLS shares in this build
	CertifiedMS   uint64
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
// kind, order of views, bounds, and the fields that this build keeps empty. It
// does not know the parent. Errors: ErrField.
func (h *Header) Check() error {
	switch {
	case h.Version != Version:
		return fmt.Errorf("%w: version %d, want %d", ErrField, h.Version, Version)
	case h.Kind != KindNormal:
		return fmt.Errorf("%w: kind %d, want %d", ErrField, h.Kind, KindNormal)
	case h.View == 0 || h.Height == 0:
		return fmt.Errorf("%w: view and height start at 1", ErrField)
	case h.ParentView >= h.View:
		return fmt.Errorf("%w: parent view %d is not below view %d", ErrField, h.ParentView, h.View)
	case h.View-h.ParentView > MaxGap:
		return fmt.Errorf("%w: %d views since the parent, at most %d", ErrField, h.View-h.ParentView, MaxGap)
	case h.Batches > MaxBatches || h.Txs > MaxTxs:
		return fmt.Errorf("%w: %d batches with %d transactions", ErrField, h.Batches, h.Txs)
	case (h.Txs == 0) != (h.Batches == 0):
		return fmt.Errorf("%w: %d batches with %d transactions", ErrField, h.Batches, h.Txs)
	case len(h.NextSet) != 0 || len(h.VRF) != 0 || h.Certify != 0:
		return fmt.Errorf("%w: next set, VRF or certify in a version without them", ErrField)
	}
	return nil
}

// CheckChild tests every rule that ties c to its parent h, whose hash is
// parent (CONS-31): identity, height, time order, set, beacon, certified time.
// Errors: ErrField.
func (h *Header) CheckChild(parent Hash, c *Header) error {
	switch {
	case c.Parent != parent || c.ParentView != h.View:
		return fmt.Errorf("%w: not a child of view %d", ErrField, h.View)
	case c.ChainID != h.ChainID || c.Epoch != h.Epoch || c.SetHash != h.SetHash:
		return fmt.Errorf("%w: other chain, epoch or set than the parent", ErrField)
	case c.Height != h.Height+1:
		return fmt.Errorf("%w: height %d on height %d", ErrField, c.Height, h.Height)
	case c.TimeMS <= h.TimeMS:
		return fmt.Errorf("%w: time %d ms not after the parent's %d ms", ErrField, c.TimeMS, h.TimeMS)
	case c.Beacon != h.Beacon || c.CertifiedMS != h.CertifiedMS:
		return fmt.Errorf("%w: beacon or certified time changed", ErrField)
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
