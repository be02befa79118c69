// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/snapshot"
)

// Protocol is the request protocol of this package (P2P-08).
const Protocol = "snapshot/1"

// PartBytes is how much of a chunk one answer carries, so that the frame with its
// other fields stays below 1 MiB.
const PartBytes = 1<<20 - 1<<10

// MaxOffers bounds the answer to a request for offers.
const MaxOffers = 8

// Errors.
var (
	// ErrRequest reports a request that cannot be served.
	ErrRequest = errors.New("bad snapshot request")
	// ErrLie reports an answer that no honest peer gives; the peer is punished.
	ErrLie = errors.New("false snapshot")
	// ErrPeers reports that no peer has what is missing; try again later.
	ErrPeers = errors.New("no peer offers the snapshot")
)

// Request asks for the offers (Height 0), or for one part of a chunk of the
// snapshot of the seal at Height.
type Request struct {
	_      struct{} `cbor:",toarray"`
	Height uint64
	Prefix merkle.Prefix
	Part   uint64
}

// Offer is one snapshot that a peer has. Seal is the hash of the seal's header,
// Parent the header before it, after whose block the state holds.
type Offer struct {
	_      struct{} `cbor:",toarray"`
	Height uint64
	Seal   header.Hash
	Parent header.Header
	Depth  uint64
	Bytes  uint64 // of all chunks
}

// fits checks an offer against a seal that is known to be final.
func (o *Offer) fits(seal *header.Header) error {
	switch {
	case o.Height != seal.Height || o.Seal != seal.Hash():
		return fmt.Errorf("offer of another block at height %d", o.Height)
	case o.Parent.Hash() != seal.Parent || o.Parent.Height+1 != seal.Height:
		return fmt.Errorf("%w: the parent is not that of the seal", ErrLie)
	case o.Depth > snapshot.MaxDepth:
		return fmt.Errorf("%w: depth %d", ErrLie, o.Depth)
	}
	return nil
}

// Part is the answer to a request for a part: up to PartBytes of the chunk whose
// whole length is Size and whose bytes are named Name.
type Part struct {
	_    struct{} `cbor:",toarray"`
	Name content.ID
	Size uint64
	Data []byte
}

// parts returns how many parts a chunk of size bytes has.
func parts(size uint64) uint64 { return (size + PartBytes - 1) / PartBytes }

func decodeRequest(b []byte) (Request, error) {
	var q Request
	if err := enc.Decode(b, &q); err != nil {
		return q, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if q.Prefix.Depth > snapshot.MaxDepth || q.Prefix.Check() != nil || q.Part >= parts(snapshot.MaxChunk) {
		return q, fmt.Errorf("%w: subtree %d at depth %d, part %d", ErrRequest, q.Prefix.Index, q.Prefix.Depth, q.Part)
	}
	return q, nil
}

func decodeOffers(b []byte) ([]Offer, error) {
	var list []Offer
	if err := enc.Decode(b, &list); err != nil {
		return nil, fmt.Errorf("%w: offers: %w", ErrLie, err)
	}
	if len(list) > MaxOffers {
		return nil, fmt.Errorf("%w: %d offers", ErrLie, len(list))
	}
	return list, nil
}

func decodePart(b []byte) (Part, error) {
	var p Part
	if err := enc.Decode(b, &p); err != nil {
		return p, fmt.Errorf("%w: part: %w", ErrLie, err)
	}
	if p.Size == 0 || p.Size > snapshot.MaxChunk || len(p.Data) > PartBytes {
		return p, fmt.Errorf("%w: part of %d bytes of %d", ErrLie, len(p.Data), p.Size)
	}
	return p, nil
}
