// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"errors"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
)

// Protocols of the driver (P2P-08).
const (
	ProtocolBatch = "batch/1" // BatchRequest → batches
	ProtocolCerts = "certs/1" // CertsRequest → certificates or a proposal
)

// Bounds of one answer.
const (
	maxDigests   = 64      // batches
	maxCertBytes = 1 << 20 // certificates
)

// ErrRequest reports a request that cannot be served.
var ErrRequest = errors.New("bad consensus request")

// BatchRequest asks for batches by digest.
type BatchRequest struct {
	_       struct{} `cbor:",toarray"`
	Digests [][32]byte
}

// CertsRequest asks for the certificates of the views From to To, or, if Block
// is 32 bytes, for that proposal.
type CertsRequest struct {
	_        struct{} `cbor:",toarray"`
	From, To uint64
	Block    []byte
}

// ServeBatches answers ProtocolBatch with the batches that are held: those of
// undecided and of the last 64 decided blocks. Older ones come with their blocks,
// by sync. Errors: ErrRequest, those of send.
func (d *Driver) ServeBatches(req []byte, send func([]byte) error) error {
	var q BatchRequest
	if err := enc.Decode(req, &q); err != nil || len(q.Digests) > maxDigests {
		return errors.Join(ErrRequest, err)
	}
	for _, digest := range q.Digests {
		if raw := d.batches.raw(digest); raw != nil {
			if err := send(raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// ServeCerts answers ProtocolCerts. Errors: ErrRequest, those of send and ctx.
func (d *Driver) ServeCerts(ctx context.Context, req []byte, send func([]byte) error) error {
	var q CertsRequest
	if err := enc.Decode(req, &q); err != nil || (len(q.Block) != 0 && len(q.Block) != len(header.Hash{})) {
		return errors.Join(ErrRequest, err)
	}
	var out [][]byte
	ok := d.Query(ctx, func(c *consensus.Core) {
		if len(q.Block) == 0 {
			out = c.Certificates(q.From, q.To, maxCertBytes)
		} else if p := c.Proposal(header.Hash(q.Block)); p != nil {
			out = [][]byte{p}
		}
	})
	if !ok {
		return ctx.Err()
	}
	for _, b := range out {
		if err := send(b); err != nil {
			return err
		}
	}
	return nil
}
