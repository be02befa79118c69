// SPDX-License-Identifier: Apache-2.0

package coretest

import (
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
)

// Forks is what Convict found.
type Forks struct {
	Pairs     int                   // of honest nodes whose final chains conflict
	Kinds     map[evidence.Kind]int // of evidence, over all pairs
	LeastOver uint64                // least power convicted above f, over all pairs
}

// Convict compares the final chains of every two honest nodes at the end of a
// run. Where they conflict, evidence.Fork must name power above f from what these
// two hold, and nobody who is honest (CONS-50). The error, if any, is a
// *Violation.
func (s *Sim) Convict() (Forks, error) {
	f := Forks{Kinds: map[evidence.Kind]int{}}
	for i, a := range s.nodes {
		for _, b := range s.nodes[i+1:] {
			if a.twin || b.twin || s.failure != nil {
				continue
			}
			at := divergence(a, b)
			if at < 0 {
				continue
			}
			power := s.convictPair(&f, a, b, at)
			if over := power - min(power, s.epochs[0].set.Faulty()); f.Pairs == 0 || over < f.LeastOver {
				f.LeastOver = over
			}
			f.Pairs++
		}
	}
	return f, s.result()
}

// Final is one final block of a node, with what the node holds to prove it.
type Final struct {
	Header       header.Header
	Leaves       [][]byte
	Finalization *cert.Certificate // of this block or of a later one; nil for genesis
}

// Chain lists a node's final blocks from genesis on.
func (n *Node) Chain() []Final {
	var out []Final
	for _, c := range n.db {
		f := Final{Header: c.root.Header, Finalization: c.root.Finalization}
		if m, err := msg.Decode(c.prop); err == nil && m.Proposal != nil {
			f.Leaves = m.Proposal.Leaves
		}
		out = append(out, f)
	}
	return out
}

// Forked returns two honest nodes whose final chains conflict, or nil.
func (s *Sim) Forked() (a, b *Node) {
	for i, a := range s.nodes {
		for _, b := range s.nodes[i+1:] {
			if !a.twin && !b.twin && divergence(a, b) >= 0 {
				return a, b
			}
		}
	}
	return nil, nil
}

// Honest reports whether a validator of the first set follows the rules.
func (s *Sim) Honest(index int) bool { return s.people[index].fault == Honest }

// Set returns the validators of the first epoch.
func (s *Sim) Set() *valset.Set { return s.epochs[0].set }

// divergence returns the first height at which both have a block, and another
// one; -1 if there is none.
func divergence(a, b *Node) int {
	for i := range min(len(a.db), len(b.db)) {
		if a.db[i].root.Header.Hash() != b.db[i].root.Header.Hash() {
			return i
		}
	}
	return -1
}

func (s *Sim) convictPair(f *Forks, a, b *Node, at int) uint64 {
	set := s.epochs[0].set // a run with more than f never ends its epoch
	list, err := evidence.Fork(set, s.chainID, a.branch(at), b.branch(at))
	if err != nil {
		s.fail("CONS-50", "nodes %s and %s differ at height %d: %v", a.name, b.name, at, err)
		return 0
	}
	power := uint64(0)
	for i := range list {
		offences, err := evidence.Check(set, s.chainID, &list[i])
		if err != nil {
			s.fail("CONS-50", "evidence that does not hold: %v", err)
		}
		f.Kinds[list[i].Kind()]++
		for _, o := range offences {
			power += set.Power(o.Index)
			if s.person(o.Epoch, uint64(o.Index)).fault == Honest {
				s.fail("I10-no-self-evidence", "%v convicts honest %d", o.Kind, o.Index)
			}
		}
	}
	if power <= set.Faulty() {
		s.fail("CONS-50", "nodes %s and %s differ at height %d: power %d convicted, f is %d", a.name, b.name, at, power, set.Faulty())
	}
	s.trace("nodes %s and %s differ at height %d: power %d of %d convicted by %v", a.name, b.name, at, power, set.Total(), list[0].Kind())
	return power
}

// branch is what a node holds from a height up to the first block of which it
// holds the Finalization.
func (n *Node) branch(at int) evidence.Branch {
	var out evidence.Branch
	for _, f := range n.Chain()[at:] {
		out.Blocks = append(out.Blocks, evidence.Block{Header: f.Header, Leaves: f.Leaves})
		if fin := f.Finalization; fin != nil && fin.Hash() == f.Header.Hash() {
			out.Finalization = fin
			break
		}
	}
	return out
}

// watch feeds a message that somebody sent to the finder of all messages, and
// asserts I10 for what it finds.
func (s *Sim) watch(v msg.Verified) {
	e := s.epochs[v.Message().Epoch()]
	e.finder.Advance(e.top)
	for _, ev := range e.finder.Add(v) {
		s.accuse(e, &ev)
	}
}

// accuse asserts that evidence holds and names faulty validators only.
func (s *Sim) accuse(e *epoch, ev *evidence.Evidence) {
	court := evidence.Court{ChainID: s.chainID, Set: e.set, Seed: &e.root.Beacon}
	offences, err := court.Check(ev)
	if err != nil {
		s.fail("I10-no-self-evidence", "found evidence that does not hold: %v", err)
	}
	for _, o := range offences {
		if s.person(o.Epoch, uint64(o.Index)).fault == Honest {
			s.fail("I10-no-self-evidence", "%v of view %d accuses honest %d", o.Kind, o.View, o.Index)
		}
	}
	s.found += len(offences)
}

// String prints what was found in one line.
func (f Forks) String() string {
	out := fmt.Sprintf("%d pairs of nodes forked", f.Pairs)
	for k := evidence.DoubleNotarize; k <= evidence.BadBatch; k++ {
		if f.Kinds[k] > 0 {
			out += fmt.Sprintf(", %v %d", k, f.Kinds[k])
		}
	}
	return out
}
