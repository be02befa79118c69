// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"errors"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
)

// on makes a block on p with the given leaves.
func (n *net) on(p *header.Header, view uint64, leaves ...*cert.Certificate) Block {
	raw := [][]byte{}
	for _, q := range leaves {
		if q == nil {
			raw = append(raw, []byte{})
		} else {
			raw = append(raw, q.Encode())
		}
	}
	return Block{n.child(p, view, raw...), raw}
}

func (n *net) branch(blocks ...Block) Branch {
	return Branch{blocks, n.finalization(&blocks[len(blocks)-1].Header, 0, 1, 2, 3)}
}

// TestForkConvictsMoreThanF walks through every case of CONS-50. Powers are 4, 3,
// 2, 1: f is 3.
func TestForkConvictsMoreThanF(t *testing.T) {
	n := four(t)
	g := n.genesis()
	b1 := n.on(&g, 2, nil, n.nullification(1, 0, 1))
	a := n.branch(b1)
	other := b1
	other.Header.TimeMS++
	early := n.on(&g, 1, nil)

	overNull := n.on(&g, 4, nil, n.nullification(1, 0, 1), n.nullification(2, 0, 2, 3), n.nullification(3, 0, 1))
	onOther := n.on(&other.Header, 4, n.notarization(&other.Header, 0, 1, 2), n.nullification(3, 0, 1))
	skips := n.on(&g, 4, nil, n.nullification(1, 0, 1), n.nullification(2, 1, 2), n.nullification(3, 0, 1))
	top := n.on(&overNull.Header, 5, n.notarization(&overNull.Header, 0, 1))
	aboveSkip := n.on(&skips.Header, 5, n.notarization(&skips.Header, 0, 1, 3))
	skewed := overNull
	skewed.Header.View = 9
	onSkewed := n.on(&overNull.Header, 6, n.cert(cert.Notarization, 4, hashOf(&skewed.Header), 0, 1, 2, 3), n.nullification(5, 0, 1))
	onSkewed.Header.Parent = skewed.Header.Hash()

	for _, c := range []struct {
		name string
		b    Branch
		kind Kind
		who  []int
	}{
		{"two blocks of one view", n.branch(other), DoubleFinalize, []int{0, 1, 2, 3}},
		{"the view of one was nullified for the other", n.branch(overNull), NullifyFinalize, []int{0, 2, 3}},
		{"the same, below a descendant", n.branch(overNull, top), NullifyFinalize, []int{0, 2, 3}},
		{"another block of the view was notarized", n.branch(other, onOther), NotarizeFinalize, []int{0, 1, 2}},
		{"the nullification holds no quorum", n.branch(skips), UnjustifiedVote, []int{0, 1, 2, 3}},
		{"the same, below a lawful descendant", n.branch(skips, aboveSkip), UnjustifiedVote, []int{0, 1, 3}},
		{"votes in another view than the block's", n.branch(skewed, onSkewed), UnjustifiedVote, []int{0, 1, 2, 3}},
		{"the other chain was finalized in the earlier view", n.branch(early), 0, nil},
	} {
		for i, pair := range [][2]Branch{{a, c.b}, {c.b, a}} {
			list, err := Fork(n.set, chainID, pair[0], pair[1])
			if err != nil {
				t.Errorf("%s, order %d: %v", c.name, i, err)
				continue
			}
			got := n.convict(list)
			if c.who == nil { // b1 skipped view 1 by a Nullification
				c.kind, c.who = NullifyFinalize, []int{0, 1}
			}
			if len(got) != len(c.who) {
				t.Errorf("%s: convicted %v, want %v", c.name, got, c.who)
			}
			power := uint64(0)
			for _, i := range c.who {
				power += n.set.Power(i)
				if got[i] != c.kind {
					t.Errorf("%s: validator %d for %v, want %v", c.name, i, got[i], c.kind)
				}
			}
			if power <= n.set.Faulty() {
				t.Errorf("%s: power %d", c.name, power)
			}
		}
	}
}

func hashOf(h *header.Header) []byte {
	x := h.Hash()
	return x[:]
}

func TestForkRefusesWhatIsNoFork(t *testing.T) {
	n := four(t)
	g := n.genesis()
	b1, x := n.on(&g, 1, nil), n.on(&g, 2, nil, n.nullification(1, 0, 1))
	b2 := n.on(&b1.Header, 2, n.notarization(&b1.Header, 0, 1))
	bare := x
	bare.Leaves = nil
	weak := n.branch(x)
	weak.Finalization = n.finalization(&x.Header, 1, 2)
	strange := n.on(&b2.Header, 3, n.notarization(&b2.Header, 0, 1))
	for _, c := range []struct {
		name string
		a, b Branch
		want error
	}{
		{"a chain and its beginning", n.branch(b1), n.branch(b1, b2), ErrNoFork},
		{"branches on different blocks", n.branch(b1), n.branch(strange), ErrBranch},
		{"no blocks", n.branch(b1), Branch{}, ErrBranch},
		{"no finalization", n.branch(b1), Branch{Blocks: []Block{x}}, ErrBranch},
		{"a finalization of less than a quorum", n.branch(b1), weak, ErrBranch},
		{"a finalization of another block", n.branch(b1), Branch{[]Block{x}, n.finalization(&b2.Header, 0, 1)}, ErrBranch},
		{"blocks without a link", n.branch(b1), n.branch(b1, x), ErrBranch},
		{"leaves that were not kept", n.branch(b1), n.branch(bare), ErrBranch},
	} {
		if list, err := Fork(n.set, chainID, c.a, c.b); !errors.Is(err, c.want) || list != nil {
			t.Errorf("%s: %v, %v", c.name, list, err)
		}
	}
}
