// SPDX-License-Identifier: Apache-2.0

package coretest

import (
	"fmt"
	"math"
	"slices"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
)

// Node is a model of a whole node around one core: driver, write-ahead log,
// database, bodies, mempool and execution. It does what the documentation of
// consensus.Output demands, no more.
type Node struct {
	s     *Sim
	who   int // person; -1 is an observer
	id    int
	name  string
	twin  bool   // a faulty copy: nothing is asserted of it
	ep    *epoch // of the core
	index int    // in the set of ep; -1 follows only

	core  *consensus.Core // nil while down
	life  int             // incarnation; answers to an earlier one are dropped
	born  uint64          // start of the process
	up    []bool          // by person: what the core was told of the stream to it
	fuse  int             // stages of Output until a crash; 0 = none
	timer uint64
	held  *consensus.Output // joined outputs not carried out yet (CONS-05)

	log     [][]byte // records on stable storage
	tail    [][]byte // appended, not synced
	db      []commit // final blocks, rising
	safe    int      // of which so many are on stable storage
	bodies  map[[32]byte]bool
	pool    [][32]byte // transactions not yet final here
	waiting []consensus.Fetch
	syncing bool
	lowest  uint64 // view that must never be undercut (I8)
	guard   place  // lease: nothing above it was signed
	bound   place  // nothing up to it is signed any more: the log was lost
}

type commit struct {
	root    consensus.Root
	prop    []byte
	digests [][32]byte
	proof   *cert.FinalityProof // of a seal
}

func newNode(s *Sim, who, id int) *Node {
	n := &Node{s: s, who: who, id: id, bodies: map[[32]byte]bool{}, name: "observer"}
	n.ep, n.index = s.epochs[0], s.epochs[0].index(who)
	if who >= 0 {
		n.name = fmt.Sprint(who)
		n.twin = s.people[who].fault == Twin
	}
	n.db = []commit{{root: s.genesis}}
	n.safe = 1
	return n
}

// Height returns the height of the last final block.
func (n *Node) Height() uint64 { return n.last().root.Header.Height }

func (n *Node) last() *commit { return &n.db[len(n.db)-1] }

// Restart makes a new core from what is on stable storage.
func (n *Node) Restart() {
	if n.core != nil || n.s.failure != nil {
		return
	}
	n.start()
	n.born = n.s.now
	if n.core != nil {
		n.s.trace("%d ms: node %s starts at height %d with %d records", n.s.now, n.name, n.Height(), len(n.log))
		n.restored()
		n.s.relink()
	}
}

// nextEpoch makes the core that goes on from the seal just committed.
func (n *Node) nextEpoch() {
	if h := &n.last().root.Header; n.core == nil || h.Kind != header.KindSeal || h.Epoch != n.ep.number {
		return
	}
	n.start()
	if n.core != nil {
		role := fmt.Sprintf("validator %d of %d", n.index, n.ep.set.Len())
		if n.index < 0 {
			role = "a follower"
		}
		n.s.trace("%d ms: %s: enters epoch %d as %s", n.s.now, n.name, n.ep.number, role)
		n.restored()
	}
}

// start makes the core of the epoch that the last block is of, or that it seals.
func (n *Node) start() {
	n.ep, n.lowest = n.epochOf(n.last()), 0
	n.index = n.ep.index(n.who)
	cfg := consensus.Config{
		ChainID: n.s.chainID, Set: n.ep.set, Seed: n.ep.root.Beacon, Root: n.last().root, Params: n.s.Params,
		Start: n.ep.start(n.proofOf(n.ep)),
	}
	if n.who >= 0 {
		p := &n.s.people[n.who]
		cfg.Key, cfg.BLS, cfg.VRF = p.key, p.bls, p.vrf
	}
	switch e := n.ep.number; {
	case e < n.bound.epoch:
		cfg.NoSignUpTo = math.MaxUint64
	case e == n.bound.epoch:
		cfg.NoSignUpTo = n.bound.view
	}
	core, err := consensus.New(cfg)
	if err != nil {
		n.core = nil
		n.s.fail("config", "node %s: %v", n.name, err)
		return
	}
	n.core, n.timer, n.syncing, n.waiting, n.held = core, 0, false, nil, nil
	n.up = make([]bool, len(n.s.people))
	for i := range n.up {
		n.up[i] = true // as the core takes it
	}
	n.life++
}

// epochOf returns the epoch of the block above c.
func (n *Node) epochOf(c *commit) *epoch {
	h := &c.root.Header
	if h.Kind == header.KindSeal {
		return n.s.epochAfter(n, h, c.proof.Encode())
	}
	return n.s.epochs[h.Epoch]
}

// proofOf returns the node's own proof of the root of an epoch.
func (n *Node) proofOf(e *epoch) []byte {
	if p := n.db[e.root.Height].proof; p != nil {
		return p.Encode()
	}
	return nil
}

// restored gives the core its records.
func (n *Node) restored() {
	var records []consensus.Record
	for _, b := range append(slices.Clone(n.log), n.tail...) {
		r, err := consensus.DecodeRecord(b)
		if err != nil {
			n.s.fail("record", "node %s: %v", n.name, err)
		}
		records = append(records, r)
	}
	n.step(consensus.Restored{Records: records})
	n.work()
	n.poll()
	n.look()
}

// Crash loses memory, a random end of what was appended but not synced, and
// the commits that the database had not synced. The node starts again by itself
// within 4 s.
func (n *Node) Crash() {
	if n.core == nil {
		return
	}
	n.s.trace("%d ms: node %s crashes", n.s.now, n.name)
	n.core, n.fuse = nil, 0
	n.s.relink()
	n.log = append(n.log, n.tail[:n.s.rng.Below(uint64(len(n.tail)+1))]...)
	n.tail = nil
	n.db = n.db[:n.safe]
	if n.who >= 0 && n.s.people[n.who].forgets && !n.s.healed && n.s.rng.Below(2) == 0 {
		n.s.trace("%d ms: node %s loses its log", n.s.now, n.name)
		n.log, n.bound = nil, place{n.guard.epoch, n.guard.view + 16}
	}
	n.pool = nil
	n.bodies = map[[32]byte]bool{}
	for _, b := range n.log {
		for _, d := range bodiesOf(b) {
			n.bodies[d] = true
		}
	}
	if !n.s.healed {
		n.s.after(n.s.rng.Below(4_000), n.Restart)
	} else {
		n.s.after(100, n.Restart)
	}
}

// bodiesOf returns the batches that the driver wrote before a record.
func bodiesOf(record []byte) [][32]byte {
	r, err := consensus.DecodeRecord(record)
	if err != nil || r.Kind != consensus.RecordBlock {
		return nil
	}
	m, err := msg.Decode(r.Data)
	if err != nil {
		return nil
	}
	return m.Proposal.Digests
}

// later schedules do for this incarnation only.
func (n *Node) later(d uint64, do func()) {
	life := n.life
	n.s.after(d, func() {
		if n.core != nil && n.life == life {
			do()
		}
	})
}

// receive is what the network calls.
func (n *Node) receive(raw []byte) {
	if n.core == nil {
		return
	}
	c := n.s.check(raw)
	if c.m != nil && c.m.Epoch() > n.ep.number {
		n.sync() // the epoch has ended elsewhere
		return
	}
	// Want may be asked before another copy of the message is stepped.
	if c.err == nil && (n.s.rng.Below(4) == 0 || n.core.Want(c.m)) {
		n.step(consensus.Message{Verified: c.v})
	}
}

func (n *Node) wall() uint64 {
	skew := n.s.Skew * uint64(n.id+1) / uint64(len(n.s.nodes)+1)
	return wallBase + n.s.now + skew
}

// step runs the core, asserts, and acts on the output in its order.
func (n *Node) step(e consensus.Event) {
	if n.core == nil || n.s.failure != nil {
		return
	}
	before := n.core.View()
	out := n.core.Step(consensus.Input{Now: n.s.now, Wall: n.wall(), Event: e})
	if out.Err != nil {
		n.stopped(out.Err)
		return
	}
	if !n.twin {
		n.s.book.afterStep(n, before)
		n.s.advanced(n.ep, n.core.View())
	}
	// Like the driver, sometimes take more inputs before acting once on all.
	if n.held != nil {
		n.held.Join(out)
		return
	}
	if !n.s.Join || n.s.rng.Below(8) > 0 {
		n.act(out)
		return
	}
	n.held = &out
	n.later(n.s.rng.Below(3), func() {
		if out := n.held; out != nil {
			n.held = nil
			n.act(*out)
		}
	})
}

// stopped handles Output.Err: a violation, unless the node is faulty; then it
// comes back without memory.
func (n *Node) stopped(err error) {
	if !n.twin {
		n.s.book.stopped(n, err)
		return
	}
	n.core, n.log, n.tail, n.db = nil, nil, nil, n.db[:n.safe]
	n.s.after(500, n.Restart)
}

// burn counts one stage of the output and reports whether the node crashed.
func (n *Node) burn() bool {
	if n.fuse > 0 {
		if n.fuse--; n.fuse == 0 {
			n.Crash()
		}
	}
	return n.core == nil
}

func (n *Node) act(out consensus.Output) {
	for _, raw := range out.Relay {
		n.s.book.relayed(n, raw)
		n.s.broadcast(n.ep, n.who, raw)
	}
	if n.burn() {
		return
	}
	for _, r := range out.Append {
		n.append(r)
	}
	if n.burn() {
		return
	}
	if out.Sync {
		n.log, n.tail = append(n.log, n.tail...), nil
	}
	if n.burn() {
		return
	}
	for _, raw := range out.Send {
		n.s.book.sent(n, raw)
		n.tell(raw)
		n.s.broadcast(n.ep, n.who, raw)
		if n.burn() {
			return
		}
	}
	if n.timer = out.Deadline; n.timer != 0 {
		at := n.timer
		n.later(at-min(at, n.s.now), func() {
			if n.timer == at {
				n.step(consensus.Timer{})
			}
		})
	}
	for _, r := range out.Requests {
		n.serve(r)
	}
	for _, d := range out.Decide {
		n.decide(d)
	}
	if len(out.Decide) > 0 {
		n.finish()
	}
	for _, e := range out.Evidence {
		n.s.book.accused(n, e)
	}
	n.nextEpoch()
}

func (n *Node) tell(raw []byte) {
	if n.s.Trace == nil {
		return
	}
	if v, err := n.s.verify(raw); err == nil {
		n.s.trace("%d ms: %s: %s", n.s.now, n.name, n.s.describe(v))
	}
}

func (n *Node) append(r consensus.Record) {
	if r.Kind == consensus.RecordBlock {
		for _, d := range bodiesOf(r.Encode()) {
			if !n.bodies[d] {
				n.s.fail("I7-body", "node %s records a block without its body", n.name)
			}
		}
	}
	if at := (place{r.Epoch, r.View}); at.above(n.guard) {
		n.guard = place{r.Epoch, r.View | 15} // the guard is on disk before the log
	}
	n.tail = append(n.tail, r.Encode())
	if v, err := n.s.verify(r.Data); err == nil && v.Message().Vote != nil {
		n.s.book.learn(n.s, v) // it may leave as part of a certificate only
	}
}

// decide commits one block, as node/chain does.
func (n *Node) decide(d consensus.Decision) {
	if d.Header.Height <= n.Height() {
		return // committed by sync meanwhile
	}
	n.s.book.decided(n, &d)
	fin := d.Finalization
	if fin.Hash() != d.Block {
		fin = n.s.book.finalization(d.Block, fin)
	}
	n.commit(commit{
		root: n.s.book.root(d.Header, fin), prop: n.core.Proposal(d.Block), digests: d.Digests, proof: d.Proof,
	})
	end := ""
	if d.Proof != nil {
		end = fmt.Sprintf(": the seal of epoch %d, proved in view %d", d.Header.Epoch, d.Proof.Finalization.View)
	}
	n.s.trace("%d ms: %s: decides %s height=%d view=%d%s", n.s.now, n.name, n.s.Name(d.Block), d.Header.Height, d.Header.View, end)
}

func (n *Node) commit(c commit) {
	n.db = append(n.db, c)
	n.pool = slices.DeleteFunc(n.pool, func(tx [32]byte) bool { return slices.Contains(c.digests, tx) })
}

// finish follows a run of decisions: sometimes the database is synced and the
// log loses what it no longer needs, always the mempool is looked at again.
func (n *Node) finish() {
	if n.s.rng.Below(4) == 0 {
		n.persist()
	}
	if n.index >= 0 && !n.twin {
		raw := n.last().root.Finalization.Encode()
		for _, o := range n.s.nodes {
			if n.ep.index(o.who) < 0 {
				n.s.link(-1, -1, func() { o.receive(raw) })
			}
		}
	}
	n.work()
}

// persist syncs the database; only then records may go. A commit whose
// own Finalization is not known cannot be a root, so it is not counted.
func (n *Node) persist() {
	for i := len(n.db); i > n.safe; i-- {
		c := &n.db[i-1]
		if fin := c.root.Finalization; c.proof != nil || fin != nil && fin.Hash() == c.root.Header.Hash() {
			n.safe = i
			break
		}
	}
	c := &n.db[n.safe-1]
	root := placeOf(&c.root.Header)
	if c.proof != nil {
		root.view = math.MaxUint64 // nothing of the epoch matters any more
	}
	n.log = slices.DeleteFunc(n.log, func(b []byte) bool {
		r, _ := consensus.DecodeRecord(b)
		return !place{r.Epoch, r.View}.above(root)
	})
}

func (n *Node) addTx(tx [32]byte) {
	if _, final := n.s.book.tellers[tx]; n.core != nil && !final {
		n.pool = append(n.pool, tx)
		n.bodies[tx] = true
		n.work()
	}
}

func (n *Node) work() { n.step(consensus.Work{Pending: n.s.Busy || len(n.pool) > 0}) }

// signedBy reports whether raw is, or holds, a signature of validator i.
func signedBy(v msg.Verified, i int) bool {
	switch m := v.Message(); {
	case m.Vote != nil:
		return int(m.Vote.Signer) == i
	case m.Proposal != nil:
		return int(m.Proposal.Header.Leader) == i
	case m.Cert != nil:
		return m.Cert.Has(i)
	}
	return false
}
