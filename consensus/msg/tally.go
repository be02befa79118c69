// SPDX-License-Identifier: Apache-2.0

package msg

import (
	"slices"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/bls"
)

// Tally counts the votes of one view and kind until they make a certificate. At
// most two conflicting votes of a validator are kept and counted (CONS-13).
// Votes with and without a share are counted apart, since no certificate holds
// both. The zero value is empty. Do not copy one that has counted.
type Tally struct {
	lists  [2][]*Vote // by validator: the first vote, and one that conflicts with it
	sums   []sum
	room   [1]sum // of sums, for the usual case
	list   []*Vote
	closed bool
}

// NewTallies returns k empty tallies for n validators in one piece of memory, so
// that counting honest votes takes none.
func NewTallies(k, n int) []Tally {
	out, lists := make([]Tally, k), make([]*Vote, k*n)
	for i := range out {
		out[i].list = lists[i*n : (i+1)*n : (i+1)*n]
	}
	return out
}

type sum struct {
	block  header.Hash
	shared bool
	power  uint64
	bad    []int // validators whose share was dropped
}

// Has reports whether the same vote was counted, with or without its share.
func (t *Tally) Has(v *Vote) bool {
	for _, l := range t.lists {
		if l != nil && l[v.Signer] != nil && slices.Equal(l[v.Signer].Block, v.Block) {
			return true
		}
	}
	return false
}

// Add counts a vote that Has denies, of a signer with the given power among n
// validators. It returns the power behind the vote's block, 0 if nothing was
// counted, and an earlier vote of the signer for another block, or nil.
func (t *Tally) Add(v *Vote, n int, power uint64) (uint64, *Vote) {
	if t.closed {
		return 0, nil
	}
	k, i := 0, v.Signer
	var other *Vote
	if t.lists[0] != nil && t.lists[0][i] != nil && !slices.Equal(t.lists[0][i].Block, v.Block) {
		k, other = 1, t.lists[0][i]
	}
	switch {
	case t.lists[k] != nil:
	case k == 0 && len(t.list) == n:
		t.lists[0] = t.list
	default:
		t.lists[k] = make([]*Vote, n)
	}
	if k == 1 && t.lists[1][i] != nil {
		return 0, nil
	}
	t.lists[k][i] = v
	s := t.sum(v)
	s.power += power
	return s.power, other
}

// sum returns the count that v belongs to, made on first use.
func (t *Tally) sum(v *Vote) *sum {
	h, shared := v.Hash(), len(v.Share) > 0
	for j := range t.sums {
		if t.sums[j].block == h && t.sums[j].shared == shared {
			return &t.sums[j]
		}
	}
	if t.sums == nil {
		t.sums = t.room[:0]
	}
	t.sums = append(t.sums, sum{block: h, shared: shared})
	return &t.sums[len(t.sums)-1]
}

// Most returns the largest power behind one block.
func (t *Tally) Most() (p uint64) {
	for i := range t.sums {
		p = max(p, t.sums[i].power)
	}
	return p
}

// Count returns how many votes are held.
func (t *Tally) Count() (n int) {
	for _, l := range t.lists {
		for _, v := range l {
			if v != nil {
				n++
			}
		}
	}
	return n
}

// each calls f with the votes that count together with v, in set order.
func (t *Tally) each(v *Vote, f func(i int, w *Vote)) {
	for i := range t.lists[0] {
		for _, l := range t.lists {
			if l != nil && l[i] != nil && slices.Equal(l[i].Block, v.Block) {
				if len(l[i].Share) == len(v.Share) {
					f(i, l[i])
				}
				break
			}
		}
	}
}

// Shares lists the shares of the votes that count together with v.
func (t *Tally) Shares(v *Vote) (out []bls.Share) {
	bad := t.sum(v).bad
	t.each(v, func(i int, w *Vote) {
		if !slices.Contains(bad, i) {
			out = append(out, bls.Share{Member: i, Sig: bls.Signature(w.Share)})
		}
	})
	return out
}

// Drop takes validator i, whose share does not hold, out of the votes that count
// together with v, and returns its vote. power is the validator's.
func (t *Tally) Drop(v *Vote, i int, power uint64) (out *Vote) {
	s := t.sum(v)
	s.bad, s.power = append(s.bad, i), s.power-power
	t.each(v, func(j int, w *Vote) {
		if j == i {
			out = w
		}
	})
	return out
}

// Certificate joins the votes that count together with v, which carry no share,
// and closes the tally. Whether they make a quorum is for the caller to know.
func (t *Tally) Certificate(v *Vote) *cert.Certificate {
	c := t.frame(v, v.Kind+(cert.Notarization-cert.Notarize))
	t.each(v, func(i int, w *Vote) {
		c.Signers[i/8] |= 1 << (i % 8)
		c.Sigs = append(c.Sigs, w.Sig[:]...)
	})
	t.Close()
	return c
}

// Aggregate makes the certificate of the signers in shares, whose sum is sig,
// and closes the tally.
func (t *Tally) Aggregate(v *Vote, shares []bls.Share, sig bls.Signature) *cert.Certificate {
	c := t.frame(v, cert.Aggregate)
	for _, s := range shares {
		c.Signers[s.Member/8] |= 1 << (s.Member % 8)
	}
	c.Sigs = sig[:]
	t.Close()
	return c
}

func (t *Tally) frame(v *Vote, k cert.Kind) *cert.Certificate {
	return &cert.Certificate{Kind: k, Epoch: v.Epoch, View: v.View, Block: v.Block, Signers: make([]byte, (len(t.lists[0])+7)/8)}
}

// Close forgets the votes for good; a certificate stands for them.
func (t *Tally) Close() { *t = Tally{closed: true} }

// Closed reports whether the tally was closed.
func (t *Tally) Closed() bool { return t.closed }
