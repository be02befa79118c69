// SPDX-License-Identifier: Apache-2.0

package sync

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/node/chain"
)

// Protocol is the request protocol of this package (P2P-08).
const Protocol = "blocks/1"

// Bounds of one exchange.
const (
	MaxBlocks = 64
	MaxBytes  = 8 << 20
)

// ErrRequest reports a request that cannot be served.
var ErrRequest = errors.New("bad blocks request")

// Request asks for Count blocks from height From on.
type Request struct {
	_     struct{} `cbor:",toarray"`
	From  uint64
	Count uint64
}

// Block is one frame of the answer. Final is the finalization of this block or
// of a later one; of a seal it is its own or that of the last of Carriers.
type Block struct {
	_        struct{} `cbor:",toarray"`
	Header   header.Header
	Final    *cert.Certificate
	Carriers []header.Header
	Batches  []ledger.Batch
}

// Serve answers a request from the committed chain; above the head it sends
// nothing. An answer ends with a seal, because who asks has to commit it before
// it can check what follows (CONS-47). Errors: ErrRequest.
func Serve(c *chain.Chain, req []byte, send func([]byte) error) error {
	var q Request
	if err := enc.Decode(req, &q); err != nil || q.From == 0 || q.Count == 0 || q.Count > MaxBlocks {
		return errors.Join(ErrRequest, err)
	}
	head := c.Head().Height
	size := 0
	for h := q.From; h < q.From+q.Count && h <= head && size < MaxBytes; h++ {
		raw, err := c.Store().HeaderCert(h)
		if err != nil {
			return fmt.Errorf("height %d: %w", h, err)
		}
		hd, fin, carriers, err := chain.DecodeHeaderCert(raw)
		if err != nil {
			return fmt.Errorf("height %d: %w", h, err)
		}
		batches, err := c.Batches(h)
		if err != nil {
			return fmt.Errorf("height %d: %w", h, err)
		}
		frame := enc.Encode(Block{Header: *hd, Final: fin, Carriers: carriers, Batches: batches})
		size += len(frame)
		if err := send(frame); err != nil || hd.Kind == header.KindSeal {
			return err
		}
	}
	return nil
}
