// SPDX-License-Identifier: Apache-2.0

package ours

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/keys"
)

// committee is n validators of power 1 and their keys in set order.
type committee struct {
	set  *valset.Set
	vote []keys.PrivateKey
	bls  []bls.PrivateKey
}

func newCommittee(n int) (committee, error) {
	var entries []valset.Entry
	byKey := map[keys.PublicKey]keys.PrivateKey{}
	for i := range n {
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i+1))
		k := keys.FromSeed(seed)
		pub := bls.Derive(k).Public()
		byKey[k.Public()] = k
		entries = append(entries, valset.Entry{Address: keys.SingleAuth(k.Public()).Address(), Key: k.Public(), BLS: pub[:], Power: 1})
	}
	slices.SortFunc(entries, func(a, b valset.Entry) int { return a.Address.Compare(b.Address) })
	set, err := valset.New(1, entries)
	if err == nil {
		set, err = set.Prepared()
	}
	if err != nil {
		return committee{}, err
	}
	c := committee{set: set}
	for i := range n {
		k := byKey[set.Key(i)]
		c.vote, c.bls = append(c.vote, k), append(c.bls, bls.Derive(k))
	}
	return c, nil
}

// sign makes a certificate of a block by a quorum: an aggregate, or a list.
func (c committee) sign(chain [32]byte, kind cert.Kind, view uint64, block header.Hash) (*cert.Certificate, error) {
	n, quorum := c.set.Len(), int(c.set.Quorum())
	f := &cert.Certificate{Kind: kind, Epoch: 1, View: view, Block: block[:], Signers: make([]byte, (n+7)/8)}
	var shares []bls.Signature
	for i := range quorum {
		f.Signers[i/8] |= 1 << (i % 8)
		if kind == cert.Aggregate {
			shares = append(shares, c.bls[i].Sign(cert.FinalBytes(chain, 1, view, block[:])))
			continue
		}
		s := c.vote[i].Sign(cert.SignBytes(chain, kind.Vote(), 1, view, block[:]))
		f.Sigs = append(f.Sigs, s[:]...)
	}
	if kind == cert.Aggregate {
		sum, err := bls.Aggregate(shares)
		if err != nil {
			return nil, err
		}
		f.Sigs = sum[:]
	}
	return f, nil
}

// Segment returns a check of the finality of a run of blocks, as sync makes it:
// one aggregate of the last, and the links down to the first (CONS-47).
func Segment(n, blocks int) (func() error, error) {
	c, err := newCommittee(n)
	if err != nil {
		return nil, err
	}
	chain := [32]byte{1}
	first := header.Genesis(chain, c.set.Hash(), 1, 1)
	proof := &cert.FinalityProof{}
	parent := first
	for i := 1; i < blocks; i++ {
		h := header.Header{Version: header.Version, ChainID: chain, Epoch: 1, View: uint64(i), Height: uint64(i), TimeMS: uint64(i + 1),
			Parent: parent.Hash(), ParentView: uint64(i - 1), SetHash: c.set.Hash()}
		proof.Headers, parent = append(proof.Headers, h), h
	}
	fin, err := c.sign(chain, cert.Aggregate, uint64(blocks), parent.Hash())
	if err != nil {
		return nil, err
	}
	proof.Finalization = *fin
	check := func() error { return proof.Verify(c.set, chain, &first) }
	if err := check(); err != nil {
		return nil, fmt.Errorf("segment of %d blocks: %w", blocks, err)
	}
	return check, nil
}

// List returns a check of one block by a list of signatures.
func List(n int) (func() error, error) {
	c, err := newCommittee(n)
	if err != nil {
		return nil, err
	}
	chain := [32]byte{1}
	fin, err := c.sign(chain, cert.Finalization, 1, header.Hash{9})
	if err != nil {
		return nil, err
	}
	check := func() error { return cert.VerifyFinalization(c.set, chain, fin) }
	return check, check()
}
