// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/msg"
)

// ledBy returns the first view from v on that validator i leads.
func ledBy(r *rig, v uint64, i int) uint64 {
	for r.core.Leader(v) != i {
		v++
	}
	return v
}

// enterBy brings the core to view v by the Nullification of the view before.
func (r *rig) enterBy(v uint64, signers ...int) Output {
	r.t.Helper()
	return r.say(r.cert(cert.Nullify, v-1, nil, signers...).Encode())
}

func TestALeaderWhoseStreamBrokeIsNotWaitedFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		links []Link
		heard bool // a vote of the leader arrives afterwards, of the view before its own
		want  []string
	}{
		{"all streams are open", nil, false, nil},
		{"the leader's is broken", []Link{{0, false}}, false, []string{"Nullify"}},
		{"it came back", []Link{{0, false}, {0, true}}, false, nil},
		{"it is broken and others hear it", []Link{{0, false}}, true, []string{"Nullify"}},
		{"told twice", []Link{{0, false}, {0, false}}, false, []string{"Nullify"}},
		{"another one's is broken", []Link{{1, false}}, false, nil},
		{"nobody's", []Link{{-1, false}, {4, false}, {3, false}}, false, nil},
	} {
		r := newRig(t, 3)
		for _, l := range c.links {
			r.step(l)
		}
		v := ledBy(r, 4, 0)
		for u := uint64(2); u < v; u++ {
			signers := []int{1, 2, 3}
			if c.heard && u == v-1 {
				signers[0] = 0
			}
			// The core knows of no own Nullify there: it is an observer of those views.
			r.core.at(u - 1).own.nullify = []byte{1}
			r.enterBy(u, signers...)
		}
		r.core.at(v - 1).own.nullify = []byte{1}
		if c.heard {
			r.say(r.vote(0, cert.Nullify, v-1, nil))
		}
		out := r.enterBy(v, 1, 2, 3)
		var got []string
		for _, k := range kinds(out.Send) {
			if k == "Nullify" {
				got = append(got, k)
			}
		}
		same(t, c.name, got, c.want)
	}
}

func TestAStreamThatBreaksAtItsTurnEndsTheWait(t *testing.T) {
	leader := newRig(t, 0).core.Leader(1)
	r := newRig(t, other(leader))
	same(t, "break before a proposal", kinds(r.step(Link{leader, false}).Send), []string{"Nullify"})

	r = newRig(t, other(leader))
	same(t, "another break", kinds(r.step(Link{other(leader, r.core.Self()), false}).Send), []string{})
	same(t, "break with no quorum left", kinds(r.step(Link{leader, false}).Send), []string{})

	r = newRig(t, other(leader))
	p := r.propose(1, &r.cfg.Root.Header, [][]byte{{}}, nil)
	m, _ := msg.Decode(p.Encode())
	v, err := msg.Verify(r.cfg.Set, r.cfg.ChainID, m)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "a proposal", kinds(r.step(Message{v}).Send), []string{"Notarize"})
	same(t, "break after a proposal", kinds(r.step(Link{leader, false}).Send), []string{})
}

// TestWhoIsGoneStaysGoneWhenViewsAreSkipped jumps far ahead by a certificate, after
// which nobody counts as silent.
func TestWhoIsGoneStaysGoneWhenViewsAreSkipped(t *testing.T) {
	r := newRig(t, 3)
	r.step(Link{0, false})
	v := ledBy(r, 40, 0)
	r.core.at(v - 1).own.nullify = []byte{1}
	same(t, "entering a view of the one who is gone", kinds(r.enterBy(v, 1, 2, 3).Send)[:1], []string{"Nullify"})
}
