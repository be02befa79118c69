// SPDX-License-Identifier: Apache-2.0

package msg

import (
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
)

// KindBatch is the first element of a Batch; the other kinds are those of
// package cert.
const KindBatch cert.Kind = 9

// MaxPush is the longest proposal in bytes that a leader pushes with its
// justification leaves; above it they are left out and pulled (CONS-10).
const MaxPush = 64 << 10

// Errors of Decode and Verify (CONS-13). ErrMalformed, ErrNotMember and
// ErrSignature charge the peer; ErrEpoch does not.
var (
	ErrMalformed = cert.ErrMalformed
	ErrNotMember = cert.ErrNotMember
	ErrSignature = cert.ErrSignature
	ErrEpoch     = cert.ErrEpoch
)

// Vote is a Notarize, Nullify or Finalize (CONS-10): an array of seven, whose
// first element is the kind. Block is 32 bytes, or empty in a Nullify. Share is
// the signer's part of the aggregate in a Finalize of a certified block, 48
// bytes, which nobody has checked; else it is empty. Sig covers it.
type Vote struct {
	_      struct{} `cbor:",toarray"`
	Kind   cert.Kind
	Epoch  uint64
	View   uint64
	Block  []byte
	Signer uint64 // index in the set
	Share  []byte
	Sig    keys.Signature
}

// Proposal is a leader's block without its batches (CONS-10). Leaves are the
// encoded certificates whose RFC 6962 root is Header.Justification: all of
// them, or none if the sender left them out. Sig covers the block hash.
type Proposal struct {
	_       struct{}  `cbor:",toarray"`
	Kind    cert.Kind // cert.Proposal
	Header  header.Header
	Digests [][32]byte
	Leaves  [][]byte
	Sig     keys.Signature
}

// Encode returns the canonical bytes.
func (v *Vote) Encode() []byte { return enc.Encode(v) }

// SignBytes returns the bytes that Sig signs.
func (v *Vote) SignBytes(chainID [32]byte) []byte {
	return cert.ShareBytes(chainID, v.Kind, v.Epoch, v.View, v.Block, v.Share)
}

// Hash returns the block as an array, zero for a Nullify.
func (v *Vote) Hash() (h header.Hash) {
	copy(h[:], v.Block)
	return h
}

// Encode returns the canonical bytes.
func (p *Proposal) Encode() []byte { return enc.Encode(p) }

// Push returns the bytes that a leader pushes: all of p, or p without its
// leaves when that is more than MaxPush bytes.
func (p *Proposal) Push() []byte {
	b := p.Encode()
	if len(b) <= MaxPush {
		return b
	}
	short := *p
	short.Leaves = nil
	return short.Encode()
}

// Message is a decoded but unchecked message: exactly one field is set.
type Message struct {
	Vote     *Vote
	Proposal *Proposal
	Cert     *cert.Certificate
	Batch    *Batch
	raw      []byte
}

// Decode reads one message and checks its shape. b is kept and must not be
// changed. Errors: ErrMalformed.
func Decode(b []byte) (*Message, error) {
	// An array of less than 24 elements, then a kind below 24: one byte each.
	if len(b) < 2 || b[0]>>5 != 4 || b[1] > 23 {
		return nil, fmt.Errorf("%w: no kind", ErrMalformed)
	}
	m := &Message{raw: b}
	switch k := cert.Kind(b[1]); k {
	case cert.Proposal:
		m.Proposal = new(Proposal)
		return m, decode(b, m.Proposal, m.Proposal.shape)
	case cert.Notarize, cert.Nullify, cert.Finalize:
		m.Vote = new(Vote)
		return m, decode(b, m.Vote, m.Vote.shape)
	case cert.Notarization, cert.Nullification, cert.Finalization, cert.Aggregate:
		c, err := cert.Decode(b)
		m.Cert = c
		return m, err
	case KindBatch:
		m.Batch = new(Batch)
		return m, decode(b, m.Batch, m.Batch.shape)
	default:
		return nil, fmt.Errorf("%w: unknown kind %d", ErrMalformed, b[1])
	}
}

func decode(b []byte, v any, shape func() error) error {
	if err := enc.Decode(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return shape()
}

// Kind returns the kind of the message.
func (m *Message) Kind() cert.Kind {
	switch {
	case m.Vote != nil:
		return m.Vote.Kind
	case m.Proposal != nil:
		return cert.Proposal
	case m.Cert != nil:
		return m.Cert.Kind
	}
	return KindBatch
}

// Epoch returns the epoch whose set the message is of.
func (m *Message) Epoch() uint64 {
	switch {
	case m.Vote != nil:
		return m.Vote.Epoch
	case m.Proposal != nil:
		return m.Proposal.Header.Epoch
	case m.Cert != nil:
		return m.Cert.Epoch
	case m.Batch != nil:
		return m.Batch.Epoch
	}
	return 0
}

// Bytes returns the encoding. Do not change it.
func (m *Message) Bytes() []byte {
	switch {
	case m.raw != nil:
		return m.raw
	case m.Vote != nil:
		return m.Vote.Encode()
	case m.Proposal != nil:
		return m.Proposal.Encode()
	case m.Cert != nil:
		return m.Cert.Encode()
	case m.Batch != nil:
		return m.Batch.Encode()
	}
	return nil
}

func (v *Vote) shape() error {
	want := 32
	if v.Kind == cert.Nullify {
		want = 0
	}
	switch {
	case len(v.Block) != want:
		return fmt.Errorf("%w: %v with a block of %d bytes", ErrMalformed, v.Kind, len(v.Block))
	case len(v.Share) != 0 && (v.Kind != cert.Finalize || len(v.Share) != bls.SignatureSize):
		return fmt.Errorf("%w: %v with a share of %d bytes", ErrMalformed, v.Kind, len(v.Share))
	case v.View == 0:
		return fmt.Errorf("%w: %v of view 0", ErrMalformed, v.Kind)
	case v.Signer >= valset.MaxValidators:
		return fmt.Errorf("%w: signer %d", ErrNotMember, v.Signer)
	}
	return nil
}

func (p *Proposal) shape() error {
	if err := p.Header.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	h := &p.Header
	switch {
	case h.Leader >= valset.MaxValidators:
		return fmt.Errorf("%w: leader %d", ErrNotMember, h.Leader)
	case uint64(len(p.Digests)) != h.Batches:
		return fmt.Errorf("%w: %d digests, header says %d", ErrMalformed, len(p.Digests), h.Batches)
	case len(p.Leaves) != 0 && uint64(len(p.Leaves)) != h.View-h.ParentView:
		return fmt.Errorf("%w: %d leaves for %d views", ErrMalformed, len(p.Leaves), h.View-h.ParentView)
	case header.PayloadRoot(p.Digests) != h.PayloadRoot:
		return fmt.Errorf("%w: digests do not match the payload root", ErrMalformed)
	}
	return nil
}
