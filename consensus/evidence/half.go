// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"fmt"
	"math/bits"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/keys"
)

// Half is one kind of vote on one block by one or more validators. A message
// is a half of one signer; a certificate is one of many, and may be cut to
// fewer, since each signature counts by itself and no quorum is asked for. An
// aggregate shows that every one of its signers gave a share, and cannot be cut.
// The epoch and view stand in the evidence around it.
type Half struct {
	_       struct{}  `cbor:",toarray"`
	Kind    cert.Kind // Proposal, Notarize, Nullify or Finalize
	Block   []byte    // 32 bytes; empty in a Nullify
	Signers []byte    // bitmap in set order, as in a certificate
	Sigs    []byte    // 64 bytes each in bit order, or the 48 of an aggregate
	Share   []byte    // of a single Finalize that carries one: 48 bytes; else empty
}

// sum reports whether h is an aggregate.
func (h *Half) sum() bool { return len(h.Sigs) == bls.SignatureSize }

// has reports whether validator i signed.
func (h *Half) has(i int) bool { return i/8 < len(h.Signers) && h.Signers[i/8]>>(i%8)&1 == 1 }

// count returns the number of signers.
func (h *Half) count() (n int) {
	for _, b := range h.Signers {
		n += bits.OnesCount8(b)
	}
	return n
}

// list returns the signers, ascending.
func (h *Half) list() []int {
	var out []int
	for i := range 8 * len(h.Signers) {
		if h.has(i) {
			out = append(out, i)
		}
	}
	return out
}

// common lists who signed both halves, ascending.
func common(a, b *Half) []int {
	var out []int
	for _, i := range a.list() {
		if b.has(i) {
			out = append(out, i)
		}
	}
	return out
}

// cut returns h with only the signers of who, which are ascending and all
// signers of h; an aggregate as it is.
func (h *Half) cut(who []int) Half {
	if h.sum() {
		return *h
	}
	out := Half{Share: h.Share, Kind: h.Kind, Block: h.Block, Signers: make([]byte, len(h.Signers))}
	j := 0
	for k, i := range h.list() {
		if j < len(who) && who[j] == i {
			out.Signers[i/8] |= 1 << (i % 8)
			out.Sigs = append(out.Sigs, h.Sigs[64*k:64*k+64]...)
			j++
		}
	}
	return out
}

func (h *Half) shape() error {
	want := 32
	if h.Kind == cert.Nullify {
		want = 0
	}
	switch {
	case h.Kind < cert.Proposal || h.Kind > cert.Finalize:
		return fmt.Errorf("%w: kind %d is no vote", ErrMalformed, uint64(h.Kind))
	case len(h.Block) != want:
		return fmt.Errorf("%w: %v with a block of %d bytes", ErrMalformed, h.Kind, len(h.Block))
	case len(h.Signers) == 0 || len(h.Signers) > valset.MaxValidators/8:
		return fmt.Errorf("%w: bitmap of %d bytes", ErrMalformed, len(h.Signers))
	case h.count() == 0:
		return fmt.Errorf("%w: nobody signed", ErrMalformed)
	case h.sum() && h.Kind != cert.Finalize:
		return fmt.Errorf("%w: aggregate of %v", ErrMalformed, h.Kind)
	case len(h.Share) != 0 && (len(h.Share) != bls.SignatureSize || h.Kind != cert.Finalize || h.count() != 1 || h.sum()):
		return fmt.Errorf("%w: %v of %d signers with a share of %d bytes", ErrMalformed, h.Kind, h.count(), len(h.Share))
	case !h.sum() && len(h.Sigs) != 64*h.count():
		return fmt.Errorf("%w: %d bytes of signatures for %d signers", ErrMalformed, len(h.Sigs), h.count())
	}
	return nil
}

// verify checks the bitmap and every signature, a share in it left out. Cost: one
// batched Ed25519 check per signer, or one pairing check of an aggregate. Errors:
// ErrMalformed, ErrSignature.
func (h *Half) verify(set *valset.Set, chainID [32]byte, view uint64) error {
	if len(h.Signers) != (set.Len()+7)/8 {
		return fmt.Errorf("%w: bitmap of %d bytes for %d validators", ErrMalformed, len(h.Signers), set.Len())
	}
	who := h.list()
	if i := who[len(who)-1]; i >= set.Len() {
		return fmt.Errorf("%w: bit %d of %d validators", ErrMalformed, i, set.Len())
	}
	if h.sum() {
		return h.verifySum(set, chainID, view)
	}
	signed := cert.ShareBytes(chainID, h.Kind, set.Epoch(), view, h.Block, append([]byte{}, h.Share...))
	var batch keys.BatchVerifier
	for k, i := range who {
		batch.Add(set.Key(i), signed, keys.Signature(h.Sigs[64*k:]))
	}
	for _, ok := range batch.Verify() {
		if !ok {
			return fmt.Errorf("%w: %v of view %d", ErrSignature, h.Kind, view)
		}
	}
	return nil
}

func (h *Half) verifySum(set *valset.Set, chainID [32]byte, view uint64) error {
	if !set.Aggregates() {
		return fmt.Errorf("%w: aggregate of a set without BLS keys", ErrMalformed)
	}
	k, err := set.BLS()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrJudge, err)
	}
	if err := k.VerifyAggregate(h.has, cert.FinalBytes(chainID, set.Epoch(), view, h.Block), bls.Signature(h.Sigs)); err != nil {
		return fmt.Errorf("%w: %v of view %d: %w", ErrSignature, h.Kind, view, err)
	}
	return nil
}

// one makes the half of a single signature.
func one(n int, kind cert.Kind, block []byte, signer uint64, sig *keys.Signature) Half {
	h := Half{Kind: kind, Block: block, Signers: make([]byte, (n+7)/8), Sigs: bytes.Clone(sig[:])}
	h.Signers[signer/8] |= 1 << (signer % 8)
	return h
}

// half reads what a message signs: its view, and the signatures. ok is false for
// a batch and for a signer outside a set of n.
func half(n int, m *msg.Message) (view uint64, h Half, ok bool) {
	switch {
	case m.Vote != nil && m.Vote.Signer < uint64(n):
		v := m.Vote
		h := one(n, v.Kind, v.Block, v.Signer, &v.Sig)
		h.Share = v.Share
		return v.View, h, true
	case m.Proposal != nil && m.Proposal.Header.Leader < uint64(n):
		p := m.Proposal
		hash := p.Header.Hash()
		return p.Header.View, one(n, cert.Proposal, hash[:], p.Header.Leader, &p.Sig), true
	case m.Cert != nil && len(m.Cert.Signers) == (n+7)/8:
		return m.Cert.View, ofCert(m.Cert), true
	}
	return 0, Half{}, false
}

// ofCert is the half of a certificate, which it shares its bytes with.
func ofCert(c *cert.Certificate) Half {
	return Half{Kind: c.Kind.Vote(), Block: c.Block, Signers: c.Signers, Sigs: c.Sigs}
}
