// SPDX-License-Identifier: Apache-2.0

package valset

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/vrf"
)

// Bounds of a set.
const (
	MaxValidators = 256
	MaxPower      = 1 << 52 // of the whole set
)

// ErrSet reports a validator set that this protocol refuses.
var ErrSet = errors.New("invalid validator set")

// Entry is one validator. Power is ⌊bonded nOPEN / 10^9⌋ (CONS-02). A set has BLS
// keys for all of its validators or for none, and so with VRF keys. Whoever puts
// a BLS key in has seen its proof of possession (CONS-12).
type Entry struct {
	_       struct{} `cbor:",toarray"`
	Address keys.Address
	Key     keys.PublicKey // Ed25519 vote key
	BLS     []byte         // bls.PublicKey, or empty
	VRF     []byte         // vrf.PublicKey, or empty
	Power   uint64
}

// Set is the validators of one epoch in set order: power descending, then
// address. It is immutable.
type Set struct {
	epoch   uint64
	entries []Entry
	index   map[keys.PublicKey]int
	total   uint64
	hash    [32]byte
	votes   []*keys.Expanded // vote keys, nil unless Prepared
	bls     *bls.Keys        // decoded; nil unless Prepared
}

// New orders and checks the entries (CONS-39). The slice is copied.
// Errors: ErrSet.
func New(epoch uint64, entries []Entry) (*Set, error) {
	if len(entries) == 0 || len(entries) > MaxValidators {
		return nil, fmt.Errorf("%w: %d validators, want 1 to %d", ErrSet, len(entries), MaxValidators)
	}
	s := &Set{epoch: epoch, entries: slices.Clone(entries), index: make(map[keys.PublicKey]int, len(entries))}
	slices.SortFunc(s.entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Power, a.Power), slices.Compare(a.Address[:], b.Address[:]))
	})
	seen := make(map[keys.Address]bool, len(entries))
	for i, e := range s.entries {
		if e.Power == 0 || e.Power > MaxPower {
			return nil, fmt.Errorf("%w: validator %v has power %d", ErrSet, e.Address, e.Power)
		}
		if s.total += e.Power; s.total > MaxPower {
			return nil, fmt.Errorf("%w: power above %d", ErrSet, uint64(MaxPower))
		}
		if _, twice := s.index[e.Key]; twice || seen[e.Address] {
			return nil, fmt.Errorf("%w: validator %v stands in it twice", ErrSet, e.Address)
		}
		if !like(e.BLS, s.entries[0].BLS, bls.PublicKeySize) || !like(e.VRF, s.entries[0].VRF, vrf.PublicKeySize) {
			return nil, fmt.Errorf("%w: validator %v has a BLS or VRF key of the wrong length, or not all have one", ErrSet, e.Address)
		}
		s.index[e.Key], seen[e.Address] = i, true
	}
	s.hash = keys.Sum(keys.DomainSet, epoch, s.entries)
	return s, nil
}

// like reports whether a key has the given size, or is absent, as the first one.
func like(key, first []byte, size int) bool {
	return len(key) == len(first) && (len(key) == 0 || len(key) == size)
}

// Epoch returns the epoch that this set decides.
func (s *Set) Epoch() uint64 { return s.epoch }

// Len returns the number of validators.
func (s *Set) Len() int { return len(s.entries) }

// Entry returns validator i, 0 ≤ i < Len().
func (s *Set) Entry(i int) Entry { return s.entries[i] }

// Power returns the power of validator i, 0 ≤ i < Len().
func (s *Set) Power(i int) uint64 { return s.entries[i].Power }

// Key returns the vote key of validator i, 0 ≤ i < Len().
func (s *Set) Key(i int) keys.PublicKey { return s.entries[i].Key }

// Index returns the place of a vote key in the set, or -1.
func (s *Set) Index(k keys.PublicKey) int {
	if i, ok := s.index[k]; ok {
		return i
	}
	return -1
}

// Aggregates reports whether the validators have BLS keys, so that certified
// blocks are finalized by aggregates (CONS-12, CONS-32).
func (s *Set) Aggregates() bool { return len(s.entries[0].BLS) > 0 }

// Draws reports whether the validators have VRF keys, so that blocks feed the
// beacon (CONS-35).
func (s *Set) Draws() bool { return len(s.entries[0].VRF) > 0 }

// VRF returns the VRF key of validator i, 0 ≤ i < Len(), of a set that Draws.
func (s *Set) VRF(i int) vrf.PublicKey { return vrf.PublicKey(s.entries[i].VRF) }

// Prepared returns the set with its keys decoded once, for whoever checks many
// votes and aggregates; s itself if it is done. Errors: ErrSet if a BLS key is no
// point. Cost: 0.03 ms per validator, 0.5 ms with BLS keys.
func (s *Set) Prepared() (*Set, error) {
	if s.votes != nil {
		return s, nil
	}
	p := *s
	if s.Aggregates() {
		k, err := s.BLS()
		if err != nil {
			return nil, err
		}
		p.bls = k
	}
	p.votes = make([]*keys.Expanded, len(s.entries))
	for i := range s.entries {
		p.votes[i] = s.entries[i].Key.Expand()
	}
	return &p, nil
}

// Verify reports whether sig is a signature of msg by validator i, 0 ≤ i < Len().
// A Prepared set is quicker at it.
func (s *Set) Verify(i int, msg []byte, sig keys.Signature) bool {
	if s.votes != nil {
		return s.votes[i].Verify(msg, sig)
	}
	return keys.Verify(s.entries[i].Key, msg, sig)
}

// Queue adds a signature of validator i, 0 ≤ i < Len(), to a batch of checks.
func (s *Set) Queue(b *keys.BatchVerifier, i int, msg []byte, sig keys.Signature) {
	if s.votes != nil {
		b.AddExpanded(s.votes[i], msg, sig)
		return
	}
	b.Add(s.entries[i].Key, msg, sig)
}

// BLS returns the decoded BLS keys of a set that Aggregates. Errors: ErrSet.
// Cost: nothing for a Prepared set, else 0.5 ms per validator.
func (s *Set) BLS() (*bls.Keys, error) {
	if s.bls != nil {
		return s.bls, nil
	}
	if !s.Aggregates() {
		return nil, fmt.Errorf("%w: no BLS keys", ErrSet)
	}
	list := make([]bls.PublicKey, len(s.entries))
	for i := range s.entries {
		list[i] = bls.PublicKey(s.entries[i].BLS)
	}
	k, err := bls.NewKeys(list)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSet, err)
	}
	return k, nil
}

// Total returns W, the power of all validators.
func (s *Set) Total() uint64 { return s.total }

// Quorum returns q = ⌊2W/3⌋+1: any two quorums share more than Faulty (CONS-02).
func (s *Set) Quorum() uint64 { return s.total*2/3 + 1 }

// Faulty returns f = ⌊(W-1)/3⌋, the power that may misbehave (CONS-02).
func (s *Set) Faulty() uint64 { return (s.total - 1) / 3 }

// Hash returns the name of the set (CONS-39).
func (s *Set) Hash() [32]byte { return s.hash }

// Encode returns the canonical bytes: [epoch, entries].
func (s *Set) Encode() []byte { return enc.Encode(wire{Epoch: s.epoch, Entries: s.entries}) }

type wire struct {
	_       struct{} `cbor:",toarray"`
	Epoch   uint64
	Entries []Entry
}

// Decode reads a set and accepts it only in set order. Errors: ErrSet.
func Decode(b []byte) (*Set, error) {
	var w wire
	if err := enc.Decode(b, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSet, err)
	}
	s, err := New(w.Epoch, w.Entries)
	if err != nil {
		return nil, err
	}
	for i := range w.Entries {
		if w.Entries[i].Key != s.entries[i].Key {
			return nil, fmt.Errorf("%w: not in set order", ErrSet)
		}
	}
	return s, nil
}
