// SPDX-License-Identifier: Apache-2.0

package bls

import (
	"fmt"
	"slices"

	curve "github.com/cloudflare/circl/ecc/bls12381"

	"github.com/openledger/openledger/internal/keys"
)

// Keys holds the decoded keys of a set and their sum. It never changes. Safe
// for concurrent use.
type Keys struct {
	keys []*curve.G2
	sum  curve.G2
}

// NewKeys decodes the keys of a set, in set order. Every key must have proven
// possession before, else sums of keys prove nothing. Errors: ErrKey. Cost:
// about 0.25 ms per key.
func NewKeys(pks []PublicKey) (*Keys, error) {
	k := &Keys{keys: make([]*curve.G2, len(pks))}
	k.sum.SetIdentity()
	for i, pk := range pks {
		p, err := pk.point()
		if err != nil {
			return nil, fmt.Errorf("member %d: %w", i, err)
		}
		k.keys[i] = p
		k.sum.Add(&k.sum, p)
	}
	return k, nil
}

// Len returns the number of members.
func (k *Keys) Len() int { return len(k.keys) }

// Verify reports whether sig is member i's signature of msg. It panics if i is
// no member. Errors: ErrSignature. Cost: about 2 ms. Spec: CONS-12.
func (k *Keys) Verify(i int, msg []byte, sig Signature) error {
	s, err := sig.point()
	if err != nil {
		return err
	}
	return pair(hash(msg, keys.TagBLSSign), s, k.keys[i])
}

// VerifyAggregate reports whether sig is the sum of the signatures of msg by
// exactly the members for which has is true; has is called once per member, in
// order. Whether they are enough is the caller's question. Errors:
// ErrSignature, also when nobody has signed. Cost: about 2 ms, and 6 µs for each
// of those who signed or of those who did not, whichever are fewer. Spec:
// CONS-12.
func (k *Keys) VerifyAggregate(has func(i int) bool, msg []byte, sig Signature) error {
	s, err := sig.point()
	if err != nil {
		return err
	}
	return pair(hash(msg, keys.TagBLSSign), s, k.sumOf(has))
}

// sumOf adds the keys of those who have signed, or takes the others from the
// sum of all, whichever are fewer.
func (k *Keys) sumOf(has func(i int) bool) *curve.G2 {
	present, absent := make([]*curve.G2, 0, len(k.keys)), make([]*curve.G2, 0, len(k.keys))
	for i, p := range k.keys {
		if has(i) {
			present = append(present, p)
		} else {
			absent = append(absent, p)
		}
	}
	if len(present) <= len(absent) {
		return addAll(present)
	}
	sum := addAll(absent)
	sum.Neg()
	sum.Add(sum, &k.sum)
	return sum
}

func addAll(points []*curve.G2) *curve.G2 {
	sum := new(curve.G2)
	sum.SetIdentity()
	for _, p := range points {
		sum.Add(sum, p)
	}
	return sum
}

// Share is a member's signature of the message that a set signs together.
type Share struct {
	Member int // index in the set
	Sig    Signature
}

// Combine adds the shares of msg up and checks the sum once. If it fails, the
// shares are bisected: bad lists, ascending, the members whose share was left
// out, and sig is the sum of the rest, which holds. A member must stand in
// shares at most once; it panics if one is not of the set.
//
// Shares may err in ways that cancel each other; then the sum holds and nobody
// is named. Errors: ErrSignature if no share is left. Cost: 2 ms + 0.12 ms per
// share; each bad share adds about 3 ms · log2 of their number. Spec: CONS-12.
func (k *Keys) Combine(msg []byte, shares []Share) (sig Signature, bad []int, err error) {
	c := combiner{h: hash(msg, keys.TagBLSSign)}
	c.sum.SetIdentity()
	formed := make([]decoded, 0, len(shares))
	for _, s := range shares {
		if p, err := s.Sig.point(); err == nil {
			formed = append(formed, decoded{s.Member, p, k.keys[s.Member]})
		} else {
			c.bad = append(c.bad, s.Member)
		}
	}
	c.bisect(formed)
	slices.Sort(c.bad)
	if c.sum.IsIdentity() {
		return Signature{}, c.bad, fmt.Errorf("%w: none of %d shares holds", ErrSignature, len(shares))
	}
	return Signature(c.sum.BytesCompressed()), c.bad, nil
}

type decoded struct {
	member int
	sig    *curve.G1
	key    *curve.G2
}

type combiner struct {
	h   *curve.G1
	sum curve.G1
	bad []int
}

// bisect adds those of shares to the sum that hold, and the rest to bad.
func (c *combiner) bisect(shares []decoded) {
	if len(shares) == 0 {
		return
	}
	var sig curve.G1
	var key curve.G2
	sig.SetIdentity()
	key.SetIdentity()
	for _, s := range shares {
		sig.Add(&sig, s.sig)
		key.Add(&key, s.key)
	}
	switch half := len(shares) / 2; {
	case pair(c.h, &sig, &key) == nil:
		c.sum.Add(&c.sum, &sig)
	case half == 0:
		c.bad = append(c.bad, shares[0].member)
	default:
		c.bisect(shares[:half])
		c.bisect(shares[half:])
	}
}
