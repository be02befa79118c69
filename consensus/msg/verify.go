// SPDX-License-Identifier: Apache-2.0

package msg

import (
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

// Verified is a message whose shape, signer and signatures hold. The zero value
// holds nothing and every use of it by the core is a no-op.
type Verified struct{ v *verified }

type verified struct {
	m       *Message
	set     *valset.Set // under which it was checked
	chainID [32]byte
	hash    header.Hash         // of a proposal's block or a batch
	leaves  []*cert.Certificate // of a proposal; nil for leaf 0 on an epoch root
}

// Verify checks signers and signatures of m under set on the chain. It may run
// on any goroutine. A proposal's leaves, if present, are decoded, checked and
// hashed to its justification; that they are the right ones for its place is
// the core's rule (CONS-21), and so is leaf 0 on an epoch's root, which the set
// before has signed. A share is not checked: shares are checked together
// (CONS-12). Errors: ErrMalformed, ErrNotMember, ErrSignature,
// ErrEpoch, cert.ErrQuorum.
func Verify(set *valset.Set, chainID [32]byte, m *Message) (Verified, error) {
	return VerifyWith(nil, set, chainID, m)
}

// VerifyWith is Verify with a memory of signatures that were checked before: in a
// certificate, alone or as a leaf, only the others are checked. nil is no memory.
func VerifyWith(mem Memory, set *valset.Set, chainID [32]byte, m *Message) (Verified, error) {
	out := &verified{m: m, set: set, chainID: chainID}
	var err error
	switch {
	case m == nil:
		return Verified{}, fmt.Errorf("%w: none", ErrMalformed)
	case m.Vote != nil:
		err = verifyVote(set, chainID, m.Vote)
	case m.Cert != nil:
		err = verifyCert(mem, set, chainID, m.Cert)
	case m.Proposal != nil:
		err = out.verifyProposal(mem, set, chainID, m.Proposal)
	case m.Batch != nil:
		err = out.verifyBatch(set, chainID, m.Batch)
	default:
		err = fmt.Errorf("%w: empty", ErrMalformed)
	}
	if err != nil {
		return Verified{}, err
	}
	return Verified{out}, nil
}

func verifyCert(mem Memory, set *valset.Set, chainID [32]byte, c *cert.Certificate) error {
	if mem == nil {
		return c.Verify(set, chainID)
	}
	return mem.Known(c).rest(c, set, chainID)
}

func verifyVote(set *valset.Set, chainID [32]byte, v *Vote) error {
	if v.Epoch != set.Epoch() {
		return fmt.Errorf("%w: %d, want %d", ErrEpoch, v.Epoch, set.Epoch())
	}
	if len(v.Share) > 0 && !set.Aggregates() {
		return fmt.Errorf("%w: share in a set without BLS keys", ErrMalformed)
	}
	return checkSig(set, v.Signer, v.SignBytes(chainID), v.Sig)
}

func checkSig(set *valset.Set, signer uint64, msg []byte, sig keys.Signature) error {
	if signer >= uint64(set.Len()) {
		return fmt.Errorf("%w: %d of %d", ErrNotMember, signer, set.Len())
	}
	if !set.Verify(int(signer), msg, sig) {
		return fmt.Errorf("%w: validator %d", ErrSignature, signer)
	}
	return nil
}

func (o *verified) verifyProposal(mem Memory, set *valset.Set, chainID [32]byte, p *Proposal) error {
	h := &p.Header
	if h.ChainID != chainID {
		return fmt.Errorf("%w: header of another chain", ErrMalformed)
	}
	if h.Epoch != set.Epoch() {
		return fmt.Errorf("%w: %d, want %d", ErrEpoch, h.Epoch, set.Epoch())
	}
	if h.SetHash != set.Hash() {
		return fmt.Errorf("%w: header of another set", ErrMalformed)
	}
	o.hash = h.Hash()
	if err := checkSig(set, h.Leader, cert.SignBytes(chainID, cert.Proposal, h.Epoch, h.View, o.hash[:]), p.Sig); err != nil {
		return err
	}
	if len(p.Leaves) == 0 {
		return nil
	}
	if merkle.Root(p.Leaves) != h.Justification {
		return fmt.Errorf("%w: leaves do not match the justification", ErrMalformed)
	}
	o.leaves = make([]*cert.Certificate, len(p.Leaves))
	for i, b := range p.Leaves {
		if i == 0 && h.ParentView == 0 {
			continue // the core checks what stands for an epoch's root
		}
		c, err := cert.Decode(b)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", i, err)
		}
		if c.View != h.ParentView+uint64(i) { // before the signatures: no certificate is checked twice
			return fmt.Errorf("%w: leaf %d is of view %d", ErrMalformed, i, c.View)
		}
		if err := verifyCert(mem, set, chainID, c); err != nil {
			return fmt.Errorf("leaf %d: %w", i, err)
		}
		o.leaves[i] = c
	}
	return nil
}

func (o *verified) verifyBatch(set *valset.Set, chainID [32]byte, b *Batch) error {
	if b.Epoch != set.Epoch() {
		return fmt.Errorf("%w: %d, want %d", ErrEpoch, b.Epoch, set.Epoch())
	}
	o.hash = b.Digest(chainID)
	return checkSig(set, b.Author, o.hash[:], b.Sig)
}

// IsZero reports whether v holds nothing.
func (v Verified) IsZero() bool { return v.v == nil }

// Message returns the checked message. Do not change it. v must not be zero.
func (v Verified) Message() *Message { return v.v.m }

// Hash returns the hash of a proposal's block or the digest of a batch; zero
// for other kinds. v must not be zero.
func (v Verified) Hash() header.Hash { return v.v.hash }

// Leaves returns a proposal's decoded justification; the first element is nil if
// the parent is the root of the epoch. It is empty if the sender left the leaves
// out.
func (v Verified) Leaves() []*cert.Certificate { return v.v.leaves }

// SignVote makes a vote. block is nil for Nullify; signer is the index of key.
func SignVote(chainID [32]byte, kind cert.Kind, epoch, view uint64, block []byte, signer int, key keys.PrivateKey) *Vote {
	return &Vote{
		Kind: kind, Epoch: epoch, View: view, Block: block, Signer: uint64(signer),
		Sig: key.Sign(cert.SignBytes(chainID, kind, epoch, view, block)),
	}
}

// SignShare makes a Finalize of a certified block: a vote with the signer's share
// of the aggregate. Cost: 0.5 ms.
func SignShare(chainID [32]byte, epoch, view uint64, block []byte, signer int, key keys.PrivateKey, secret bls.PrivateKey) *Vote {
	share := secret.Sign(cert.FinalBytes(chainID, epoch, view, block))
	v := &Vote{Kind: cert.Finalize, Epoch: epoch, View: view, Block: block, Signer: uint64(signer), Share: share[:]}
	v.Sig = key.Sign(v.SignBytes(chainID))
	return v
}

// SignProposal makes the proposal of a header by its leader.
func SignProposal(h header.Header, digests [][32]byte, leaves [][]byte, key keys.PrivateKey) *Proposal {
	hash := h.Hash()
	return &Proposal{
		Kind: cert.Proposal, Header: h, Digests: digests, Leaves: leaves,
		Sig: key.Sign(cert.SignBytes(h.ChainID, cert.Proposal, h.Epoch, h.View, hash[:])),
	}
}
