// SPDX-License-Identifier: Apache-2.0

package twins

import (
	"fmt"
	"slices"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/merkle"
)

// exploreViews is how many views an Explorer looks at.
const exploreViews = 3

// Explorer walks through the states that three honest cores can reach together
// with one faulty key, which signs whatever anybody signs and proposes two blocks
// in its views: breadth first, every proposal and every certificate to every core
// in every order, timers at any moment, one crash. Cores are the real ones.
//
// Votes are not delivered one by one: a certificate is there as soon as two honest
// votes and the faulty one make it. Two states of a core count as one if it has
// heard and said the same, stands in the same view and has decided the same.
type Explorer struct {
	*Cache
	faulty int
	sched  *valset.Schedule
	locals []*local
	byKey  map[string]int
	moves  map[move]int
	items  []item
	byRaw  map[string]int
}

// item is a proposal or certificate that may be delivered.
type item struct {
	v     msg.Verified
	view  uint64
	block header.Hash
	kind  cert.Kind
}

type move struct{ local, event int }

// Events besides the number of an item.
const (
	timeout = -1
	crash   = -2
)

// local is what one honest core can be.
type local struct {
	who     int
	history []int // events from the start
	view    uint64
	heard   []int    // items, ascending
	votes   []string // own votes, ascending
	said    []int    // own proposals, as items
	crashed bool
	decided []header.Hash
}

// Reached is the outcome of an exploration.
type Reached struct {
	States    int // of the network
	Locals    int // of single cores
	Exhausted bool
	Decided   int // longest chain that somebody decided
}

// NewExplorer explores with the key of a set index faulty.
func NewExplorer(c *Cache, faulty int) *Explorer {
	return &Explorer{
		Cache: c, faulty: faulty, sched: valset.NewSchedule(c.set, c.genesis.Header.Beacon),
		byKey: map[string]int{}, moves: map[move]int{}, byRaw: map[string]int{},
	}
}

// Run explores until limit states are reached or there are no more. It fails if
// two cores decide different blocks (I1), or a core says what convicts it (I10).
// Cost: about 30 µs per state.
func (x *Explorer) Run(limit int) (Reached, error) {
	var start [3]int
	j := 0
	for i := range x.set.Len() {
		if i == x.faulty {
			continue
		}
		n, err := x.grow(&local{who: i}, nil)
		if err != nil {
			return Reached{}, err
		}
		start[j] = n
		j++
	}
	seen := map[[3]int]bool{start: true}
	queue := [][3]int{start}
	var out Reached
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		next, err := x.expand(s)
		if err != nil {
			return out, err
		}
		for _, t := range next {
			if seen[t] {
				continue
			}
			if seen[t] = true; len(seen) >= limit {
				out.States, out.Locals = len(seen), len(x.locals)
				return out, nil
			}
			queue = append(queue, t)
		}
		for _, l := range s {
			out.Decided = max(out.Decided, len(x.locals[l].decided))
		}
	}
	out.States, out.Locals, out.Exhausted = len(seen), len(x.locals), true
	return out, nil
}

// expand lists the states one event after s.
func (x *Explorer) expand(s [3]int) ([][3]int, error) {
	pool := x.pool(s)
	crashed := false
	for _, l := range s {
		crashed = crashed || x.locals[l].crashed
	}
	var out [][3]int
	for i, l := range s {
		events := []int{timeout}
		if !crashed {
			events = append(events, crash)
		}
		for _, it := range pool {
			if !slices.Contains(x.locals[l].heard, it) && !slices.Contains(x.locals[l].said, it) {
				events = append(events, it)
			}
		}
		for _, e := range events {
			if e == timeout && x.locals[l].view > exploreViews {
				continue
			}
			n, err := x.step(l, e)
			if err != nil {
				return nil, err
			}
			t := s
			t[i] = n
			if t != s {
				if err := x.agree(t); err != nil {
					return nil, err
				}
				out = append(out, t)
			}
		}
	}
	return out, nil
}

// agree asserts I1.
func (x *Explorer) agree(s [3]int) error {
	for i, a := range s {
		for _, b := range s[i+1:] {
			da, db := x.locals[a].decided, x.locals[b].decided
			for h := range min(len(da), len(db)) {
				if da[h] != db[h] {
					return fmt.Errorf("I1-agree violated at height %d: events %v and %v", h+1, x.locals[a].history, x.locals[b].history)
				}
			}
		}
	}
	return nil
}

func (x *Explorer) step(l, event int) (int, error) {
	if n, ok := x.moves[move{l, event}]; ok {
		return n, nil
	}
	n, err := x.grow(x.locals[l], &event)
	if err == nil {
		x.moves[move{l, event}] = n
	}
	return n, err
}

// grow replays a core's history and one event more, and names the result.
func (x *Explorer) grow(from *local, event *int) (int, error) {
	l := &local{who: from.who, history: slices.Clone(from.history)}
	if event != nil {
		l.history = append(l.history, *event)
	}
	r := replay{x: x, l: l}
	if err := r.run(); err != nil {
		return 0, fmt.Errorf("core %d after %v: %w", l.who, l.history, err)
	}
	slices.Sort(l.heard)
	slices.Sort(l.votes)
	slices.Sort(l.said)
	key := fmt.Sprintf("%d %d %v %x %v %v %x", l.who, l.view, l.heard, l.votes, l.said, l.crashed, l.decided)
	if n, ok := x.byKey[key]; ok {
		return n, nil
	}
	x.byKey[key] = len(x.locals)
	x.locals = append(x.locals, l)
	return len(x.locals) - 1, x.selfEvidence(l)
}

// selfEvidence asserts I10 for what one core has said.
func (x *Explorer) selfEvidence(l *local) error {
	f := evidence.NewFinder(x.set, x.chainID, x.genesis.Header.Beacon, 1)
	for _, raw := range l.votes {
		v, err := x.verify([]byte(raw))
		if err != nil {
			return err
		}
		if found := f.Add(v); len(found) > 0 {
			return fmt.Errorf("I10-no-self-evidence violated: %v of view %d after %v", found[0].Kind(), found[0].View(), l.history)
		}
	}
	for _, i := range l.said {
		if found := f.Add(x.items[i].v); len(found) > 0 {
			return fmt.Errorf("I10-no-self-evidence violated: %v of view %d after %v", found[0].Kind(), found[0].View(), l.history)
		}
	}
	return nil
}

// intern names an item by its bytes; -1 for one beyond the views.
func (x *Explorer) intern(raw []byte) int {
	if i, ok := x.byRaw[string(raw)]; ok {
		return i
	}
	v, err := x.verify(raw)
	if err != nil {
		panic(err) // made here
	}
	it := item{v: v, block: v.Hash()}
	switch m := v.Message(); {
	case m.Proposal != nil:
		it.view, it.kind = m.Proposal.Header.View, cert.Proposal
	default:
		it.view, it.kind, it.block = m.Cert.View, m.Cert.Kind, m.Cert.Hash()
	}
	i := len(x.items)
	if it.view > exploreViews {
		i = -1
	} else {
		x.items = append(x.items, it)
	}
	x.byRaw[string(raw)] = i
	return i
}

// pool lists what can be delivered in a state: honest proposals, certificates of
// two honest votes and the faulty one, and what the faulty leader makes of them.
func (x *Explorer) pool(s [3]int) []int {
	var out []int
	votes := map[string][]*msg.Vote{}
	var order []string
	for _, l := range s {
		out = append(out, x.locals[l].said...)
		for _, raw := range x.locals[l].votes {
			v, err := x.verify([]byte(raw))
			if err != nil {
				panic(err) // checked when it was said
			}
			vote := v.Message().Vote
			k := fmt.Sprintf("%d %d %x", vote.Kind, vote.View, vote.Block)
			if votes[k] == nil {
				order = append(order, k)
			}
			votes[k] = append(votes[k], vote)
		}
	}
	var certs []*cert.Certificate
	for _, k := range order {
		if list := votes[k]; len(list) >= 2 {
			c := x.join(list[:2])
			if i := x.intern(c.Encode()); i >= 0 {
				certs, out = append(certs, c), append(out, i)
			}
		}
	}
	for v := uint64(1); v <= exploreViews; v++ {
		if x.sched.Leader(v) == x.faulty {
			out = append(out, x.propose(v, certs)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// join adds the faulty vote to two honest ones.
func (x *Explorer) join(list []*msg.Vote) *cert.Certificate {
	v := list[0]
	bad := msg.SignVote(x.chainID, v.Kind, 0, v.View, v.Block, x.faulty, x.keys[x.faulty])
	var t msg.Tally
	for _, w := range append([]*msg.Vote{bad}, list...) {
		t.Add(w, x.set.Len(), 1)
	}
	return t.Certificate(v)
}

// propose makes two lawful blocks of the faulty leader on the newest block that
// the certificates allow, if they allow one.
func (x *Explorer) propose(view uint64, certs []*cert.Certificate) []int {
	find := func(v uint64, null bool) *cert.Certificate {
		for _, c := range certs {
			if c.View == v && (c.Kind == cert.Nullification) == null {
				return c
			}
		}
		return nil
	}
	parent, leaves := &x.genesis.Header, [][]byte{{}}
	var gap [][]byte
	for v := view - 1; v > 0; v-- {
		if q := find(v, false); q != nil {
			if p := x.header(q.Hash()); p != nil {
				parent, leaves = p, [][]byte{q.Encode()}
				break
			}
		}
		n := find(v, true)
		if n == nil {
			return nil
		}
		gap = append(gap, n.Encode())
	}
	slices.Reverse(gap)
	leaves = append(leaves, gap...)
	var out []int
	for twice := range uint64(2) {
		roots := rootsOf(parent.Hash())
		h := header.Header{
			Version: header.Version, ChainID: x.chainID, View: view, Height: parent.Height + 1, TimeMS: parent.TimeMS + 1 + twice,
			Parent: parent.Hash(), ParentView: parent.View, Justification: merkle.Root(leaves), Leader: uint64(x.faulty),
			PayloadRoot: header.PayloadRoot(nil), StateRoot: roots[0], ReceiptsRoot: roots[1], SetHash: x.set.Hash(),
			Beacon: parent.Beacon, CertifiedMS: parent.CertifiedMS,
		}
		out = append(out, x.intern(msg.SignProposal(h, nil, leaves, x.keys[x.faulty]).Encode()))
	}
	return out
}

// header finds the header of a block that somebody proposed.
func (x *Explorer) header(block header.Hash) *header.Header {
	for i := range x.items {
		if x.items[i].kind == cert.Proposal && x.items[i].block == block {
			return &x.items[i].v.Message().Proposal.Header
		}
	}
	return nil
}

// rootsOf is the ledger of the exploration.
func rootsOf(block header.Hash) [2][32]byte { return [2][32]byte{block, block} }
