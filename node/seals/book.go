// SPDX-License-Identifier: Apache-2.0

package seals

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/node/store"
)

// Protocol is the request protocol of this package (P2P-08).
const Protocol = "seals/1"

// MaxCount bounds the records of one answer.
const MaxCount = 64

// ErrRequest reports a request that cannot be served.
var ErrRequest = errors.New("bad seals request")

// Request asks for up to Count records from epoch From on; or, if Height is not 0,
// for the header of that height.
type Request struct {
	_      struct{} `cbor:",toarray"`
	From   uint64
	Count  uint64
	Height uint64
}

// Book is the records of a node by epoch. It is safe for concurrent use.
type Book struct{ local *store.Local }

// NewBook opens the records in local.
func NewBook(local *store.Local) *Book { return &Book{local} }

var prefix = []byte("seal/")

func key(epoch uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte{}, prefix...), epoch)
}

// Put keeps a record that is known to be true.
func (b *Book) Put(r *cert.Seal) error { return b.local.Put(key(r.Header.Epoch), r.Encode(), true) }

// Get returns the record of an epoch. Errors: store.ErrNotFound.
func (b *Book) Get(epoch uint64) (*cert.Seal, error) {
	raw, err := b.local.Get(key(epoch))
	if err != nil {
		return nil, fmt.Errorf("seal of epoch %d: %w", epoch, err)
	}
	r, err := cert.DecodeSeal(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	}
	return r, nil
}

// List returns up to count records from an epoch on, without gaps: it ends where
// one is missing. Errors: those of the store.
func (b *Book) List(from, count uint64) (out []*cert.Seal, err error) {
	for e := from; e-from < min(count, MaxCount); e++ {
		r, err := b.Get(e)
		if errors.Is(err, store.ErrNotFound) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Serve answers a request: a frame per record, or one with a header, which header
// looks up. What is not there is not sent. Errors: ErrRequest, those of header
// (but store.ErrNotFound) and send.
func (b *Book) Serve(req []byte, header func(height uint64) (*header.Header, error), send func([]byte) error) error {
	var q Request
	if err := enc.Decode(req, &q); err != nil || q.Count > MaxCount {
		return errors.Join(ErrRequest, err)
	}
	if q.Height > 0 {
		h, err := header(q.Height)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return send(h.Encode())
	}
	list, err := b.List(q.From, q.Count)
	if err != nil {
		return err
	}
	for _, r := range list {
		if err := send(r.Encode()); err != nil {
			return err
		}
	}
	return nil
}
