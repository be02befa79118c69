// SPDX-License-Identifier: Apache-2.0

package msg

import (
	"slices"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
)

// Tally counts the votes of one view and kind until they make a certificate. At
// most two conflicting votes of a validator are kept and counted (CONS-13). The
// zero value is empty.
type Tally struct {
	lists  [2][]*Vote // by validator: the first vote, and one that conflicts with it
	sums   []sum
	closed bool
}

type sum struct {
	block header.Hash
	power uint64
}

// Has reports whether the same vote was counted.
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
	if t.lists[k] == nil {
		t.lists[k] = make([]*Vote, n)
	}
	if k == 1 && t.lists[1][i] != nil {
		return 0, nil
	}
	t.lists[k][i] = v
	h := v.Hash()
	for j := range t.sums {
		if t.sums[j].block == h {
			t.sums[j].power += power
			return t.sums[j].power, other
		}
	}
	t.sums = append(t.sums, sum{h, power})
	return power, other
}

// Most returns the largest power behind one block.
func (t *Tally) Most() (p uint64) {
	for _, s := range t.sums {
		p = max(p, s.power)
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

// Certificate joins the votes for v's block and closes the tally. Whether they
// make a quorum is for the caller to know.
func (t *Tally) Certificate(v *Vote) *cert.Certificate {
	n := len(t.lists[0])
	c := &cert.Certificate{
		Kind: v.Kind + (cert.Notarization - cert.Notarize), Epoch: v.Epoch, View: v.View, Block: v.Block,
		Signers: make([]byte, (n+7)/8),
	}
	for i := range n {
		for _, l := range t.lists {
			if l != nil && l[i] != nil && slices.Equal(l[i].Block, v.Block) {
				c.Signers[i/8] |= 1 << (i % 8)
				c.Sigs = append(c.Sigs, l[i].Sig[:]...)
				break
			}
		}
	}
	t.Close()
	return c
}

// Close forgets the votes for good; a certificate stands for them.
func (t *Tally) Close() { *t = Tally{closed: true} }

// Closed reports whether the tally was closed.
func (t *Tally) Closed() bool { return t.closed }
