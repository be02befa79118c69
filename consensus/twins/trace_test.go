// SPDX-License-Identifier: Apache-2.0

package twins

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/merkle"
)

// epochEnd is the length of the epoch in ms: a block is a seal by its time.
const epochEnd = 1_000_000

// nextSet is what every state elects.
var nextSet = [32]byte{7}

// errEarly ends a replay: a core offered its carrier before the model did, on an
// older parent.
var errEarly = errors.New("the core was earlier than the model")

// stage plays one trace of the model on three real cores. A message reaches a
// core only when the model's step needs it, so that the core can do just that. The
// core must then say what the model says. What it says beyond that, because it
// does not wait, must be allowed by the model in the state it stands in.
type stage struct {
	*Cache
	model
	rest   []step       // of the trace, after the present one
	all    []modelBlock // of the whole trace
	sched  *valset.Schedule
	index  [4]int                 // of the model's nodes in the set
	props  map[int]*msg.Proposal  // by block of the model
	byHash map[header.Hash]int    // the other way
	votes  map[string][]*msg.Vote // of honest nodes, by what they are for
	actors [4]*actor
	probes int // offers of unlawful blocks
}

// actor is one honest core and all that it ever let out.
type actor struct {
	s         *stage
	node      int
	core      *consensus.Core
	cfg       consensus.Config
	now, wall uint64
	records   []consensus.Record
	inputs    []consensus.Input // of this life
	build     *consensus.Build
	proposed  map[int]*msg.Proposal // by view
	notes     map[int]header.Hash   // by view
	nulls     map[int]bool
	fins      map[int]header.Hash
	decided   []header.Hash
	proof     *cert.FinalityProof
	err       error
}

func newStage(c *Cache, t *trace) *stage {
	s := &stage{
		Cache: c, model: newModel(t), rest: t.steps, sched: valset.NewSchedule(c.set, c.genesis.Header.Beacon),
		props: map[int]*msg.Proposal{}, byHash: map[header.Hash]int{c.genesis.Header.Hash(): 0}, votes: map[string][]*msg.Vote{},
	}
	end := newModel(t)
	for _, x := range t.steps {
		end.apply(x)
	}
	s.all = end.blocks
	for v := 1; v <= 4; v++ {
		s.index[t.leader[v]] = s.sched.Leader(uint64(v))
	}
	for n := 1; n <= 3; n++ {
		root := c.genesis
		roots := rootsOf(root.Header.Hash())
		root.StateRoot, root.ReceiptsRoot, root.NextSet = roots[0], roots[1], nextSet
		p := consensus.LocalParams()
		p.PaceMS, p.LagMS, p.DriftMS, p.HeartbeatMS, p.EpochMS = 0, 1<<40, 1<<40, 1<<40, epochEnd
		a := &actor{s: s, node: n, now: 1, wall: wallBase, proposed: map[int]*msg.Proposal{}, notes: map[int]header.Hash{},
			nulls: map[int]bool{}, fins: map[int]header.Hash{}}
		a.cfg = consensus.Config{ChainID: c.chainID, Set: c.set, Seed: c.genesis.Header.Beacon, Key: c.keys[s.index[n]], Root: root, Params: p}
		s.actors[n] = a
		a.start()
	}
	return s
}

func (a *actor) fail(format string, args ...any) {
	if a.err == nil {
		a.err = fmt.Errorf("node %d: "+format, append([]any{a.node}, args...)...)
	}
}

func (a *actor) start() {
	var err error
	if a.core, err = consensus.New(a.cfg); err != nil {
		a.fail("%v", err)
		return
	}
	a.inputs = nil
	a.step(consensus.Restored{Records: slices.Clone(a.records)})
}

// step drives the core and answers all but a Build.
func (a *actor) step(e consensus.Event) {
	if a.err != nil {
		return
	}
	a.now++
	in := consensus.Input{Now: a.now, Wall: a.wall, Event: e}
	a.inputs = append(a.inputs, in)
	out := a.core.Step(in)
	if out.Err != nil {
		a.fail("stops: %v", out.Err)
		return
	}
	a.records = append(a.records, out.Append...)
	for _, raw := range append(out.Relay, out.Send...) {
		a.say(raw)
	}
	for _, q := range out.Requests {
		switch q := q.(type) {
		case consensus.Build:
			a.build = &q
		case consensus.Fetch:
			if !q.Proposal {
				a.step(consensus.Available{Block: q.Block, Valid: true})
			} else if b, ok := a.s.byHash[q.Block]; ok {
				a.hear(a.s.props[b].Encode())
			}
		case consensus.Execute:
			roots := rootsOf(q.Block)
			a.step(consensus.Executed{Block: q.Block, StateRoot: roots[0], ReceiptsRoot: roots[1], NextSet: nextSet})
		}
	}
	for i := range out.Decide {
		a.decided, a.proof = append(a.decided, out.Decide[i].Block), out.Decide[i].Proof
	}
}

func (a *actor) hear(raw []byte) {
	v, err := a.s.verify(raw)
	if err != nil {
		a.fail("cannot be told: %v", err)
		return
	}
	a.step(consensus.Message{Verified: v})
}

// say notes a word, and asserts I2 to I4 and one proposal per view on all that
// ever left, also before a crash.
func (a *actor) say(raw []byte) {
	v, err := a.s.verify(raw)
	if err != nil {
		a.fail("sends what is not valid: %v", err)
		return
	}
	m := v.Message()
	if p := m.Proposal; p != nil {
		view := int(p.Header.View)
		if old := a.proposed[view]; old != nil && old.Header.Hash() != v.Hash() {
			a.fail("proposes twice in view %d", view)
		}
		a.proposed[view] = p
		return
	}
	w := m.Vote
	if w == nil {
		return
	}
	view, hash := int(w.View), w.Hash()
	old, noted := a.notes[view]
	fin, final := a.fins[view]
	switch w.Kind {
	case cert.Notarize:
		if noted && old != hash || final && fin != hash {
			a.fail("I2, I4: Notarize of another block in view %d", view)
		}
		a.notes[view] = hash
	case cert.Nullify:
		if final {
			a.fail("I3: Nullify after Finalize in view %d", view)
		}
		a.nulls[view] = true
	case cert.Finalize:
		if a.nulls[view] || noted && old != hash || final && fin != hash {
			a.fail("I3, I4: Finalize against an own word in view %d", view)
		}
		a.fins[view] = hash
	}
	k := string(cert.SignBytes(a.s.chainID, w.Kind, 0, w.View, w.Block))
	if !slices.ContainsFunc(a.s.votes[k], func(o *msg.Vote) bool { return o.Signer == w.Signer }) {
		a.s.votes[k] = append(a.s.votes[k], w)
	}
}

// cert is what two honest nodes and the faulty one have signed; nil before.
func (s *stage) cert(k cert.Kind, v int, block []byte) []byte {
	list := s.votes[string(cert.SignBytes(s.chainID, k, 0, uint64(v), block))]
	if len(list) < 2 {
		return nil
	}
	bad := msg.SignVote(s.chainID, k, 0, uint64(v), block, s.index[0], s.keys[s.index[0]])
	var t msg.Tally
	for _, w := range append([]*msg.Vote{bad}, list[:2]...) {
		t.Add(w, s.set.Len(), 1)
	}
	return t.Certificate(list[0]).Encode()
}

func (s *stage) nullification(v int) []byte { return s.cert(cert.Nullify, v, nil) }

// of is the certificate of a kind of vote for a block of the model.
func (s *stage) of(k cert.Kind, b int) []byte {
	h := s.hash(b)
	return s.cert(k, s.blocks[b].v, h[:])
}

func (s *stage) head(b int) *header.Header {
	if b == 0 {
		return &s.genesis.Header
	}
	return &s.props[b].Header
}

func (s *stage) hash(b int) header.Hash { return s.head(b).Hash() }

// offer makes a block of the faulty leader. It exists from the moment at which
// somebody may vote for it: before, its leaves cannot be made. For one that nobody
// may vote for, a leaf is whatever certificate of its view there is; nil if there
// is none, or the parent was never made.
func (s *stage) offer(b int) *msg.Proposal {
	x := s.blocks[b]
	up := s.blocks[x.parent].v
	if x.parent != 0 && s.props[x.parent] == nil {
		return nil
	}
	parent := s.head(x.parent)
	leaf := func(v int, null bool) []byte {
		c, q := s.certified(v), s.nullification(v)
		if c != 0 && (q == nil || !null) {
			return s.of(cert.Notarize, c)
		}
		return q
	}
	leaves := [][]byte{{}}
	if x.parent != 0 {
		leaves[0] = leaf(up, false)
		if s.notarized(x.parent) {
			leaves[0] = s.of(cert.Notarize, x.parent)
		}
	}
	for w := up + 1; w < x.v; w++ {
		leaves = append(leaves, leaf(w, true))
	}
	if slices.ContainsFunc(leaves, func(l []byte) bool { return l == nil }) {
		return nil
	}
	roots := rootsOf(parent.Hash())
	h := header.Header{
		Version: header.Version, ChainID: s.chainID, View: uint64(x.v), Height: parent.Height + 1, Kind: x.kind,
		TimeMS: parent.TimeMS + uint64(b) + 1, Parent: parent.Hash(), ParentView: parent.View, Justification: merkle.Root(leaves),
		Leader: uint64(s.index[0]), PayloadRoot: header.PayloadRoot(nil), StateRoot: roots[0], ReceiptsRoot: roots[1],
		SetHash: s.set.Hash(), Beacon: parent.Beacon, CertifiedMS: parent.CertifiedMS, NextSet: []byte{}, VRF: []byte{},
	}
	switch x.kind {
	case header.KindSeal:
		h.TimeMS, h.NextSet = max(h.TimeMS, s.genesis.Header.TimeMS+epochEnd+uint64(b)), nextSet[:]
	case header.KindCarrier:
		h.Height, h.StateRoot, h.ReceiptsRoot = parent.Height, parent.StateRoot, parent.ReceiptsRoot
	}
	return msg.SignProposal(h, nil, leaves, s.keys[s.index[0]])
}

func (s *stage) keep(b int, p *msg.Proposal) {
	s.props[b], s.byHash[p.Header.Hash()] = p, b
}

// play makes one step of the model happen at its core.
func (s *stage) play(i step) error {
	if i.do == "bad" {
		return nil
	}
	a := s.actors[i.x]
	switch i.do {
	case "prop":
		if err := a.propose(len(s.blocks)-1, i); err != nil {
			return err
		}
	case "note":
		if s.props[i.y] == nil {
			p := s.offer(i.y)
			if p == nil {
				return fmt.Errorf("block %d cannot be made", i.y)
			}
			s.keep(i.y, p)
		}
		a.hear(s.props[i.y].Encode())
	case "null":
		a.giveUp()
	case "crash":
		a.crash(i.y)
	case "fin":
		a.hear(s.of(cert.Notarize, i.y))
	case "enter":
		v := i.y - 1
		q := s.nullification(v)
		if q == nil {
			q = s.of(cert.Notarize, s.certified(v))
		}
		a.hear(q)
	case "begin":
		for b := range s.blocks {
			if s.finalized(b) && slices.Contains(s.chain(b), i.y) && len(a.decided) == 0 {
				a.hear(s.of(cert.Finalize, b))
			}
		}
		if err := a.compareChain(s.chain(i.y)); err != nil {
			return err
		}
		if a.proof == nil || !a.core.Sealed() {
			return fmt.Errorf("node %d has not ended its epoch with block %d", a.node, i.y)
		}
	}
	return a.err
}

// propose lets the leader build, when it knows all certificates that there are.
func (a *actor) propose(b int, i step) error {
	s, v := a.s, a.s.cur[a.node]
	early := a.proposed[v] != nil
	if !early {
		a.certificates(v - 1)
		if i.kind == header.KindSeal {
			a.wall += epochEnd
		}
		a.step(consensus.Work{Pending: true})
		for q := a.build; q != nil && a.proposed[v] == nil && q.View == uint64(v); q = a.build { // again, if it learned of a better parent
			a.build = nil
			a.step(consensus.Built{View: q.View, Parent: q.Parent})
		}
		a.wall = wallBase
		a.step(consensus.Work{})
	}
	p := a.proposed[v]
	switch {
	case p == nil:
		return fmt.Errorf("node %d does not propose in view %d", a.node, v)
	case early && p.Header.Parent != s.hash(i.y):
		return errEarly
	case p.Header.Parent != s.hash(i.y) || p.Header.Kind != i.kind:
		return fmt.Errorf("node %d proposes kind %d on view %d; the model kind %d on block %d", a.node, p.Header.Kind, p.Header.ParentView, i.kind, i.y)
	}
	s.keep(b, p)
	return nil
}

// certificates brings every certificate of the views up to v.
func (a *actor) certificates(v int) {
	for w := 1; w <= v; w++ {
		if q := a.s.nullification(w); q != nil && a.s.nullified(w) {
			a.hear(q)
		}
		if b := a.s.certified(w); b != 0 {
			a.hear(a.s.of(cert.Notarize, b))
		}
	}
}

// giveUp lets the timers of the current view run out.
func (a *actor) giveUp() {
	a.step(consensus.Work{Pending: true})
	a.now += longTime
	a.step(consensus.Timer{})
	a.step(consensus.Work{})
}

// crash restarts the core in view v. Its log has lost the Notarize of the view and
// what came after; then its guard lets it sign nothing but Nullify up to here
// (CONS-45). Where the model finalizes an earlier view later on, as only a core
// with its whole log may, nothing is lost: what the model forgets there the
// Nullify forbids as well.
func (a *actor) crash(v int) {
	lost := slices.IndexFunc(a.records, func(r consensus.Record) bool {
		return r.Kind == consensus.RecordNotarize && r.View == uint64(v)
	})
	later := slices.ContainsFunc(a.s.rest, func(x step) bool {
		return x.do == "fin" && x.x == a.node && a.s.all[x.y].v <= v
	})
	if lost >= 0 && !later {
		a.records = a.records[:lost:lost]
		a.cfg.NoSignUpTo, a.cfg.NullifyFrom = uint64(v), uint64(v)
		a.start()
		return
	}
	a.start()
	a.giveUp()
}

// probe offers a core, in the view that it is about to leave, each block of the
// faulty leader that nobody may vote for. The core that hears it is a copy.
func (a *actor) probe() error {
	s, v := a.s, a.s.cur[a.node]
	if _, noted := a.notes[v]; noted || a.nulls[v] || v > modelViews || s.leader[v] != 0 {
		return nil
	}
	for b, x := range s.blocks {
		if x.v != v || s.justified(b) && s.fits(b) || s.props[b] != nil {
			continue
		}
		p := s.offer(b)
		if p == nil {
			continue
		}
		twin := *a
		twin.notes, twin.records, twin.err = map[int]header.Hash{}, nil, nil
		twin.proposed, twin.nulls, twin.fins = map[int]*msg.Proposal{}, map[int]bool{}, map[int]header.Hash{}
		twin.core, twin.err = consensus.New(a.cfg)
		for _, in := range a.inputs {
			twin.core.Step(in)
		}
		known := len(s.votes)
		s.probes++
		w, err := s.verify(p.Encode())
		if err != nil {
			continue // refused at the door
		}
		twin.step(consensus.Message{Verified: w})
		if _, ok := twin.notes[v]; ok || twin.err != nil || len(s.votes) != known {
			return fmt.Errorf("node %d votes for unlawful block %d: %v", a.node, b, twin.err)
		}
	}
	return nil
}

// compare holds what every core has said against the model. end: the cores have
// heard everything and may stand in later views.
func (s *stage) compare(end bool) error {
	for n := 1; n <= 3; n++ {
		a := s.actors[n]
		if a.err != nil {
			return a.err
		}
		if v := int(a.core.View()); !end && s.begun[n] < 0 && v != s.cur[n] {
			return fmt.Errorf("node %d stands in view %d, the model in %d", n, v, s.cur[n])
		}
		for b := range s.blocks {
			v := s.blocks[b].v
			if s.notes[at{n, b}] && a.notes[v] != s.hash(b) {
				return fmt.Errorf("node %d has not notarized block %d", n, b)
			}
			if s.fin[at{n, b}] && a.fins[v] != s.hash(b) {
				return fmt.Errorf("node %d has not finalized block %d", n, b)
			}
		}
		for v, h := range a.notes {
			b, ok := s.byHash[h]
			own := a.proposed[v] != nil && a.proposed[v].Header.Hash() == h && v <= s.cur[n]
			if !own && (!ok || !s.notes[at{n, b}]) {
				return fmt.Errorf("node %d notarized in view %d what the model does not", n, v)
			}
		}
		for v := range a.nulls {
			if !s.nulls[at{n, v}] {
				return fmt.Errorf("node %d nullified view %d, in the model it does not", n, v)
			}
		}
		for v := 1; v <= modelViews; v++ {
			if s.nulls[at{n, v}] && !a.nulls[v] {
				return fmt.Errorf("node %d has not nullified view %d", n, v)
			}
		}
		for v, h := range a.fins {
			if b, ok := s.byHash[h]; !ok || !s.fin[at{n, b}] && (!s.mayFinalize(b) || !end && v >= s.cur[n]) {
				return fmt.Errorf("node %d finalized in view %d what nobody may", n, v)
			}
		}
	}
	return nil
}

func (a *actor) compareChain(want []int) error {
	if a.err != nil {
		return a.err
	}
	var got []int
	for _, h := range a.decided {
		b, ok := a.s.byHash[h]
		if !ok {
			return fmt.Errorf("node %d decided an unknown block", a.node)
		}
		got = append(got, b)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("node %d decided blocks %v, in the model %v are final", a.node, got, want)
	}
	return nil
}

// finish tells every core all that there is; one of them starts again before.
func (s *stage) finish() error {
	for n := 1; n <= 3; n++ {
		a := s.actors[n]
		if s.begun[n] >= 0 {
			continue
		}
		if err := a.probe(); err != nil {
			return err
		}
		if n == 1 {
			a.start()
		}
		a.certificates(modelViews)
		for b := range s.blocks {
			if s.finalized(b) {
				a.hear(s.of(cert.Finalize, b))
			}
		}
		if err := a.compareChain(s.decided()); err != nil {
			return err
		}
	}
	return s.compare(true)
}

// run plays a trace; errEarly if it had to stop before the end.
func (s *stage) run(t *trace) error {
	for i, x := range t.steps {
		s.rest = t.steps[i+1:]
		if x.do == "enter" {
			if err := s.actors[x.x].probe(); err != nil {
				return fmt.Errorf("before step %d, %v: %w", i, x, err)
			}
		}
		s.apply(x)
		err := s.play(x)
		if err == nil {
			err = s.compare(false)
		}
		if err != nil {
			return fmt.Errorf("step %d, %v: %w", i, x, err)
		}
	}
	if s.cur != t.cur || [3]int(s.begun[1:]) != [3]int(t.begun[1:]) {
		return fmt.Errorf("the steps lead to views %v and seals %v, in the model to %v and %v", s.cur, s.begun, t.cur, t.begun)
	}
	return s.finish()
}

func traces(t *testing.T) []trace {
	t.Helper()
	raw, err := os.ReadFile("testdata/traces.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []trace
	for line := range strings.Lines(string(raw)) {
		out = append(out, parseTrace(t, strings.TrimSpace(line)))
	}
	return out
}

// TestCONS61TracesOfTheModelOnTheCore plays runs of docs/spec/simplex.qnt on real
// cores: they say what the model says, nothing that it forbids, and decide what is
// final in it.
func TestCONS61TracesOfTheModelOnTheCore(t *testing.T) {
	c := cache(t)
	steps, early, probes := 0, 0, 0
	did := map[string]int{}
	for i, x := range traces(t) {
		s := newStage(c, &x)
		switch err := s.run(&x); {
		case errors.Is(err, errEarly):
			early++
		case err != nil:
			t.Errorf("trace %d: %v", i+1, err)
		}
		for _, y := range x.steps[:len(x.steps)-len(s.rest)] {
			did[y.do]++
			steps++
		}
		probes += s.probes
	}
	t.Logf("%d steps: %v; %d traces left early, %d unlawful blocks offered", steps, did, early, probes)
	if early > 5 || probes == 0 || did["crash"] == 0 || did["begin"] == 0 {
		t.Error("the traces say too little")
	}
}
