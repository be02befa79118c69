// SPDX-License-Identifier: Apache-2.0

package coretest

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/detrand"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/vrf"
)

// person is somebody who may be a validator: in the order of the first set, then
// those who may join.
type person struct {
	key     keys.PrivateKey
	bls     bls.PrivateKey // zero unless the profile has Keys
	vrf     vrf.PrivateKey
	fault   Fault
	forgets bool // may lose its log, not its guard
}

// weak reports whether a person counts among the f who may misbehave or fail.
func (p *person) weak() bool { return p.fault != Honest || p.forgets }

// election is a set that some state elects: one of two per set before it, so
// that blocks that compete for a height may elect different ones.
type election struct {
	set    *valset.Set
	who    []int // person by set index
	next   [2]*election
	powers []uint64 // by person, 0 for no member
}

// index returns a person's place in the set, -1 for none.
func (e *election) index(who int) int {
	for i, p := range e.who {
		if p == who {
			return i
		}
	}
	return -1
}

// epoch is one validator-set period of the run.
type epoch struct {
	*election
	number uint64
	sched  *valset.Schedule
	rules  header.Rules
	root   header.Header // genesis or the seal of the epoch before
	proof  []byte        // of root, as the first node had it
	before *valset.Set   // nil for the first epoch
	last   uint64        // view that made the seal final
	top    uint64        // largest view of an honest node
	finder *evidence.Finder
}

// start is what a core of the epoch starts from, given a node's own proof.
func (e *epoch) start(proof []byte) consensus.EpochStart {
	return consensus.EpochStart{Header: e.root, Proof: proof, Set: e.before}
}

// child is the lawful block of a view on p, as far as rules and p say.
func (e *epoch) child(view uint64, parent header.Hash, p *header.Header, leader int, timeMS, txs uint64, r *result) header.Header {
	h := header.Header{
		Version: header.Version, ChainID: p.ChainID, Epoch: e.number, View: view, Height: p.Height + 1,
		TimeMS: max(p.TimeMS+1, timeMS), Parent: parent, ParentView: p.View, Leader: uint64(leader),
		StateRoot: r.state, ReceiptsRoot: r.receipts, SetHash: e.set.Hash(), Beacon: p.Beacon, CertifiedMS: p.CertifiedMS,
	}
	if p.Epoch != e.number {
		h.ParentView = 0
	}
	switch h.Kind = e.rules.Kind(p, view, h.TimeMS); h.Kind {
	case header.KindNormal:
		h.Txs, h.Batches = txs, txs
	case header.KindSeal:
		h.NextSet = make([]byte, 32)
		if r.next != nil {
			next := r.next.set.Hash()
			copy(h.NextSet, next[:])
		}
	case header.KindCarrier:
		h.Height, h.StateRoot, h.ReceiptsRoot = p.Height, p.StateRoot, p.ReceiptsRoot
	}
	if h.Certify = e.rules.Certify(p, &h); h.Certify == 1 {
		h.CertifiedMS = h.TimeMS
	}
	return h
}

// makePeople draws keys, brings the first validators into set order, and makes
// the first epoch.
func (s *Sim) makePeople() {
	byKey, powers := map[keys.PublicKey]int{}, append(append([]uint64{}, s.Powers...), make([]uint64, s.Joiners)...)
	var all []person
	for i := range powers {
		p := person{key: keys.FromSeed(sha256.Sum256(append(s.chainID[:], byte(i))))}
		if i < len(s.Powers) {
			p.fault, p.forgets = s.Faults[i], len(s.Forgets) > 0 && s.Forgets[i]
		}
		if s.Keys {
			p.bls, p.vrf = bls.Derive(p.key), vrf.Derive(p.key)
		}
		byKey[p.key.Public()] = i
		all = append(all, p)
	}
	s.people = all
	first := s.makeSet(0, powers)
	order, sorted := append([]int{}, first.who...), []uint64{}
	for i := len(s.Powers); i < len(powers); i++ {
		order = append(order, i)
	}
	s.people = nil
	for _, i := range order {
		s.people, sorted = append(s.people, all[i]), append(sorted, powers[i])
	}
	first = s.makeSet(0, sorted)
	g := header.Genesis(s.chainID, first.set.Hash(), 0, wallBase-1_000)
	s.genesis = consensus.Root{
		Header: g, StateRoot: sha256.Sum256([]byte("state")), ReceiptsRoot: sha256.Sum256([]byte("receipts")),
	}
	s.addEpoch(first, g, nil)
	if s.Params.EpochMS > 0 {
		s.genesis.NextSet = s.elect(first, s.genesis.StateRoot).set.Hash()
	}
}

// makeSet makes the set of an epoch from the power of each person.
func (s *Sim) makeSet(number uint64, powers []uint64) *election {
	e, byKey := &election{powers: powers}, map[keys.PublicKey]int{}
	var entries []valset.Entry
	for i, power := range powers {
		if power == 0 {
			continue
		}
		p := &s.people[i]
		entry := valset.Entry{Address: keys.Address(p.key.Public()), Key: p.key.Public(), Power: power}
		if s.Keys {
			b, v := p.bls.Public(), p.vrf.Public()
			entry.BLS, entry.VRF = b[:], v[:]
		}
		byKey[entry.Key] = i
		entries = append(entries, entry)
	}
	set, err := valset.New(number, entries)
	if err == nil {
		set, err = set.Prepared()
	}
	if err != nil {
		panic(err) // a broken profile
	}
	e.set = set
	for i := range set.Len() {
		e.who = append(e.who, byKey[set.Key(i)])
	}
	return e
}

// elect returns the set that a state elects after e.
func (s *Sim) elect(e *election, state [32]byte) *election {
	choice := state[31] & 1
	if e.next[choice] == nil {
		number := e.set.Epoch() + 1
		seed := binary.BigEndian.AppendUint64(s.chainID[:], number<<1|uint64(choice))
		sum := sha256.Sum256(seed)
		r := detrand.NewSplitMix(binary.BigEndian.Uint64(sum[:]))
		powers := e.powers
		for range 8 {
			if p := s.reshuffle(e.powers, r); s.bearable(p) {
				powers = p
				break
			}
		}
		e.next[choice] = s.makeSet(number, powers)
	}
	return e.next[choice]
}

// reshuffle changes powers, lets a validator leave and another join.
func (s *Sim) reshuffle(powers []uint64, r *detrand.SplitMix) []uint64 {
	out, most := append([]uint64{}, powers...), uint64(1)
	for i, p := range out {
		most = max(most, p)
		if p > 0 && r.Below(4) == 0 {
			out[i] = 1 + p/2 + r.Below(p)
		}
	}
	if who := r.Below(uint64(len(out))); r.Below(3) == 0 {
		out[who] = 0
	}
	if who := r.Below(uint64(len(out))); r.Below(2) == 0 && out[who] == 0 {
		out[who] = 1 + r.Below(most)
	}
	return out
}

// bearable reports whether the weak have at most f of the power, and whether
// anybody is left.
func (s *Sim) bearable(powers []uint64) bool {
	total, weak := uint64(0), uint64(0)
	for i, p := range powers {
		total += p
		if s.people[i].weak() {
			weak += p
		}
	}
	return total > 0 && weak <= (total-1)/3
}

// addEpoch starts the period of a set on its root.
func (s *Sim) addEpoch(e *election, root header.Header, proof []byte) *epoch {
	x := &epoch{
		election: e, number: e.set.Epoch(), root: root, proof: proof, sched: valset.NewSchedule(e.set, root.Beacon),
		rules: header.Rules{
			Epoch: e.set.Epoch(), StartMS: root.TimeMS, EpochMS: s.Params.EpochMS, CertifyMS: s.Params.CertifyMS,
			Aggregates: s.Keys, Draws: s.Keys,
		},
		finder: evidence.NewFinder(e.set, s.chainID, root.Beacon, 1),
	}
	if n := len(s.epochs); n > 0 {
		x.before = s.epochs[n-1].set
	}
	s.epochs = append(s.epochs, x)
	return x
}

// epochAfter returns the epoch that a seal starts, and asserts that every node
// starts it from the same seal (I12).
func (s *Sim) epochAfter(n *Node, seal *header.Header, proof []byte) *epoch {
	number := seal.Epoch + 1
	if number < uint64(len(s.epochs)) {
		e := s.epochs[number]
		if e.root.Hash() != seal.Hash() {
			s.fail("I12-epoch", "node %s starts epoch %d from another seal", n.name, number)
		}
		return e
	}
	before := s.epochs[seal.Epoch]
	e := s.elect(before.election, seal.StateRoot)
	if h := e.set.Hash(); string(h[:]) != string(seal.NextSet) {
		s.fail("I12-epoch", "the seal of epoch %d names a set that its state does not elect", seal.Epoch)
	}
	return s.addEpoch(e, *seal, proof)
}

// newest returns the epoch that was started last.
func (s *Sim) newest() *epoch { return s.epochs[len(s.epochs)-1] }

// place is a view of an epoch.
type place struct{ epoch, view uint64 }

func placeOf(h *header.Header) place { return place{h.Epoch, h.View} }

// above reports whether a lies after b.
func (a place) above(b place) bool { return a.epoch > b.epoch || a.epoch == b.epoch && a.view > b.view }
