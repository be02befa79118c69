// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/clock"
	"github.com/openledger/openledger/node/disktest"
	"github.com/openledger/openledger/node/mempool"
	"github.com/openledger/openledger/node/store"
	nodesync "github.com/openledger/openledger/node/sync"
	"github.com/openledger/openledger/p2p/peers"
)

// simulate runs f on virtual time: waiting costs nothing, and equal waits end in
// the same order.
func simulate(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

// network is a set of drivers that send to each other in memory.
type network struct {
	t     testing.TB
	w     *chaintest.World
	rng   *rand.Rand
	nodes []*node

	mu    sync.Mutex
	loss  float64
	delay time.Duration
	cut   func(from, to int) bool   // true: nothing passes
	drop  func(m *msg.Message) bool // true: this frame passes nowhere
	said  []map[word]header.Hash    // by validator: every signature that ever left

	finals   map[uint64]header.Hash // by height: every block that any validator ever committed
	executed map[tx.ID]bool         // transactions in those
}

// word is something that a validator signs at most once.
type word struct {
	kind cert.Kind
	view uint64
}

func newNetwork(t testing.TB, validators int, seed uint64) *network {
	n := &network{t: t, w: chaintest.NewAt(t, validators, 4, uint64(time.Now().UnixMilli())), rng: rand.New(rand.NewPCG(seed, 1)),
		delay: 5 * time.Millisecond}
	for i := range validators {
		n.said = append(n.said, map[word]header.Hash{})
		n.nodes = append(n.nodes, newNode(n, i))
	}
	return n
}

// final notes a committed block and fails if another one was committed at its height
// before, even if every validator has forgotten that.
func (n *network) final(x *node, b *chain.Block) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.finals == nil {
		n.finals, n.executed = map[uint64]header.Hash{}, map[tx.ID]bool{}
	}
	h := b.Header().Height
	if old, ok := n.finals[h]; ok && old != b.Hash {
		n.t.Errorf("validator %d commits %x at height %d, where %x was final", x.index, b.Hash[:4], h, old[:4])
	}
	n.finals[h] = b.Hash
	for _, t := range b.Verified.Txs() {
		n.executed[t.ID()] = true
	}
}

func (n *network) random(f func(r *rand.Rand)) { n.mu.Lock(); defer n.mu.Unlock(); f(n.rng) }

// start runs all nodes; they are stopped when the test ends.
func (n *network) start() {
	for _, x := range n.nodes {
		x.start()
	}
	n.t.Cleanup(n.stop)
}

func (n *network) stop() {
	for _, x := range n.nodes {
		x.stop()
	}
}

// pass decides whether a frame arrives and when.
func (n *network) pass(from, to int) (time.Duration, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut != nil && n.cut(from, to) || n.rng.Float64() < n.loss {
		return 0, false
	}
	return n.delay + time.Duration(n.rng.Int64N(int64(n.delay)+1)), true
}

// parted reports whether nothing passes from one to the other.
func (n *network) parted(from, to int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut != nil && n.cut(from, to)
}

// record notes every own signature in a frame and fails if the validator has
// signed something else before that excludes it. It reports whether the frame
// passes.
func (n *network) record(from int, frame []byte) bool {
	m, err := msg.Decode(frame)
	if err != nil {
		n.t.Errorf("validator %d sends a malformed frame: %v", from, err)
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case m.Vote != nil && int(m.Vote.Signer) == from:
		n.say(from, m.Vote.Kind, m.Vote.View, m.Vote.Hash())
	case m.Cert != nil && m.Cert.Has(from):
		n.say(from, m.Cert.Kind.Vote(), m.Cert.View, m.Cert.Hash())
	case m.Proposal != nil && int(m.Proposal.Header.Leader) == from:
		n.say(from, cert.Proposal, m.Proposal.Header.View, m.Proposal.Header.Hash())
	}
	return n.drop == nil || !n.drop(m)
}

func (n *network) say(from int, kind cert.Kind, view uint64, block header.Hash) {
	said := n.said[from]
	if old, ok := said[word{kind, view}]; ok && old != block {
		n.t.Errorf("validator %d signs %v of view %d twice: %x and %x", from, kind, view, old[:4], block[:4])
	}
	said[word{kind, view}] = block
	fin, ok := said[word{cert.Finalize, view}]
	if _, null := said[word{cert.Nullify, view}]; ok && null {
		n.t.Errorf("validator %d nullifies and finalizes view %d", from, view)
	}
	if not, voted := said[word{cert.Notarize, view}]; ok && voted && not != fin {
		n.t.Errorf("validator %d notarizes one block of view %d and finalizes another", from, view)
	}
}

// submit gives a transaction to every pool that runs, as gossip would.
func (n *network) submit(txs ...tx.Verified) {
	for _, x := range n.nodes {
		x.give(txs)
	}
}

// node is one validator with its disk.
type node struct {
	n       *network
	index   int
	disk    *disk
	machine *machine // if set, the log lies there instead of on disk
	accuse  func([]evidence.Evidence)
	chain   *chain.Chain
	pool    *mempool.Pool

	mu     sync.Mutex
	driver *Driver // nil while down
	cancel context.CancelFunc
	ended  chan struct{}
	safe   uint64         // view up to which the database was synced in any run
	blocks []*chain.Block // committed, in order
	want   int            // height that somebody waits for
	there  chan struct{}
}

func newNode(n *network, index int) *node {
	x := &node{n: n, index: index, disk: newDisk(n)}
	x.chain = n.w.Open(store.OpenMemory())
	return x
}

func (x *node) start() {
	x.pool = mempool.New(mempool.DefaultLimits(), x.chain.View, clock.NewReal().Now)
	root, err := x.chain.Root()
	if err != nil {
		x.n.t.Fatal(err)
	}
	id := x.n.w.ID
	cfg := Config{
		Core:  consensus.Config{ChainID: id, Set: x.n.w.Set, Seed: [32]byte{1}, Key: x.n.w.Votes[x.index], Root: root, Params: consensus.LocalParams()},
		Chain: x.chain, Pool: x.pool, Net: x, WAL: x.disk, Clock: clock.NewReal(), Workers: 1, Committed: x.committed, Accuse: x.accuse,
		BlockBytes: int(x.n.w.Doc.Params.Consensus.BlockBytes),
		Verify:     func(raw [][]byte) ([]tx.Verified, error) { return ledger.VerifyTxs(id, raw, x.pool) },
	}
	syncer := nodesync.New(nodesync.Config{Chain: x.chain, Source: source{x}, Cache: x.pool})
	cfg.Catchup = syncer.Catchup
	if x.machine != nil {
		x.machine.open(x, &cfg)
	}
	for _, r := range x.disk.read() {
		if r.kind == RecordBatch {
			cfg.Batches = append(cfg.Batches, r.payload)
			continue
		}
		rec, err := consensus.DecodeRecord(r.payload)
		if err != nil {
			x.n.t.Fatal(err)
		}
		cfg.Records = append(cfg.Records, rec)
	}
	d, err := New(cfg)
	if err != nil {
		x.n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	x.mu.Lock()
	x.driver, x.cancel, x.ended = d, cancel, ended
	x.mu.Unlock()
	go func() {
		err := d.Run(ctx)
		x.mu.Lock()
		x.driver, x.safe = nil, max(x.safe, d.stable.Load())
		x.mu.Unlock()
		if err != nil && !errors.Is(err, errCrash) && !errors.Is(err, disktest.ErrCrash) {
			x.n.t.Errorf("validator %d stops: %v", x.index, err)
		}
		close(ended)
	}()
}

// stop ends the process gently; what was appended is on disk.
func (x *node) stop() {
	x.mu.Lock()
	cancel, ended := x.cancel, x.ended
	x.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel()
	<-ended
}

func (x *node) up() *Driver {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.driver
}

// losePower ends the process and takes what was not synced: a random end of the
// log, and the blocks above a height at or above the last one that was synced.
func (x *node) losePower() {
	x.stop()
	x.disk.lose()
	safe := x.safe
	var kept []*chain.Block
	x.n.random(func(r *rand.Rand) {
		least := 0
		for i, b := range x.blocks {
			if b.Header().View <= safe {
				least = i + 1
			}
		}
		kept = x.blocks[:least+r.IntN(len(x.blocks)-least+1)]
	})
	x.chain = x.n.w.Open(store.OpenMemory())
	for _, b := range kept {
		again := *b
		if _, err := x.chain.Commit(&again); err != nil {
			x.n.t.Fatal(err)
		}
	}
	x.blocks = slices.Clone(kept)
}

func (x *node) committed(b *chain.Block) {
	if d := x.up(); d != nil {
		d.batches.mu.Lock()
		if k := d.batches.blocks[b.Hash]; k != nil && k.decided {
			x.n.t.Errorf("height %d counts as decided before the pool knows: a leader would take its transactions again", b.Header().Height)
		}
		d.batches.mu.Unlock()
	}
	if err := x.pool.Committed(b.Verified.Txs(), b.Receipts); err != nil {
		x.n.t.Error(err)
	}
	x.n.final(x, b)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.blocks = append(x.blocks, b)
	if x.there != nil && int(b.Header().Height) >= x.want {
		close(x.there)
		x.there = nil
	}
}

// await waits until the node has committed a height; false if it takes longer
// than patience.
func (x *node) await(height int, patience time.Duration) bool {
	x.mu.Lock()
	if int(x.chain.Head().Height) >= height {
		x.mu.Unlock()
		return true
	}
	c := make(chan struct{})
	x.want, x.there = height, c
	x.mu.Unlock()
	select {
	case <-c:
		return true
	case <-time.After(patience):
		return false
	}
}

// rotate starts a new log segment as soon as it may be.
func (x *node) rotate() {
	if d := x.up(); d != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		d.Query(ctx, func(*consensus.Core) { d.appended = segmentBytes })
	}
}

func (x *node) give(txs []tx.Verified) {
	d := x.up()
	if d == nil {
		return
	}
	for _, t := range txs {
		if err := x.pool.Add(t); err != nil && !errors.Is(err, mempool.ErrKnown) && !errors.Is(err, tx.TxNonceLow) {
			x.n.t.Errorf("pool of validator %d: %v", x.index, err)
		}
	}
	d.Wake()
}

// Broadcast implements Network.
func (x *node) Broadcast(frame []byte, _ uint64, _ bool) {
	if !x.n.record(x.index, frame) {
		return
	}
	for _, y := range x.n.nodes {
		if y == x {
			continue
		}
		if after, ok := x.n.pass(x.index, y.index); ok {
			time.AfterFunc(after, func() {
				if d := y.up(); d != nil {
					_ = d.Deliver(frame)
				}
			})
		}
	}
}

// Linked implements Network.
func (x *node) Linked() (out []keys.PublicKey) {
	for _, y := range x.n.nodes {
		if !x.n.parted(x.index, y.index) && y.up() != nil {
			out = append(out, x.n.w.Set.Key(y.index))
		}
	}
	return out
}

var errUnreachable = errors.New("unreachable")

// Ask implements Network.
func (x *node) Ask(ctx context.Context, key keys.PublicKey, protocol string, req []byte, each func([]byte) error) error {
	to := x.n.w.Set.Index(key)
	after, ok := x.n.pass(x.index, to)
	if !ok {
		<-ctx.Done()
		return ctx.Err()
	}
	time.Sleep(after)
	d := x.n.nodes[to].up()
	if d == nil {
		return errUnreachable
	}
	if protocol == ProtocolBatch {
		return d.ServeBatches(req, each)
	}
	return d.ServeCerts(ctx, req, each)
}

// source implements nodesync.Source for a node.
type source struct{ x *node }

func (s source) others() (out []*node) {
	for _, y := range s.x.n.nodes {
		if y != s.x && y.up() != nil {
			out = append(out, y)
		}
	}
	return out
}

// Peers implements nodesync.Source.
func (s source) Peers() (out []peers.ID) {
	for _, y := range s.others() {
		out = append(out, peers.ID(fmt.Sprint(y.index)))
	}
	return out
}

// Ask implements nodesync.Source.
func (s source) Ask(_ context.Context, id peers.ID, _ string, req []byte, each func([]byte) error) error {
	to, err := strconv.Atoi(string(id))
	if err != nil {
		return err
	}
	after, ok := s.x.n.pass(s.x.index, to)
	if !ok {
		return errUnreachable
	}
	time.Sleep(after)
	return nodesync.Serve(s.x.n.nodes[to].chain, req, each)
}

// Ahead implements nodesync.Source.
func (s source) Ahead(height uint64) bool {
	return slices.ContainsFunc(s.others(), func(y *node) bool { return y.chain.Head().Height > height })
}

// Short implements nodesync.Source.
func (s source) Short(peers.ID, uint64) {}

// Punish implements nodesync.Source.
func (s source) Punish(id peers.ID, _ float64) { s.x.n.t.Errorf("validator %s lied", id) }

var errCrash = errors.New("the machine has crashed")

// disk is a write-ahead log with a stable part and a tail. After fuse operations
// it fails, as if the machine had crashed there.
type disk struct {
	n    *network
	mu   sync.Mutex
	segs map[uint64][]rec
	last uint64
	safe int // records of the last segment that are stable
	fuse int // operations until the crash, 0 for none planned
	dead bool
}

type rec struct {
	kind    uint8
	payload []byte
}

func newDisk(n *network) *disk { return &disk{n: n, segs: map[uint64][]rec{1: nil}, last: 1} }

func (d *disk) burn() error {
	if d.fuse > 0 {
		d.fuse--
		d.dead = d.fuse == 0
	}
	if d.dead {
		return errCrash
	}
	return nil
}

// plan makes the machine crash in so many operations, 0 for never.
func (d *disk) plan(fuse int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fuse = fuse
}

// Append implements Log.
func (d *disk) Append(kind uint8, payload []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.burn(); err != nil {
		return err
	}
	d.segs[d.last] = append(d.segs[d.last], rec{kind, slices.Clone(payload)})
	return nil
}

// Sync implements Log.
func (d *disk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.burn(); err != nil {
		return err
	}
	d.safe = len(d.segs[d.last])
	return nil
}

// Segment implements Log.
func (d *disk) Segment() (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	d.segs[d.last], d.safe = nil, 0
	return d.last, nil
}

// Release implements Log.
func (d *disk) Release(first uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for s := range d.segs {
		if s < first {
			delete(d.segs, s)
		}
	}
	return nil
}

// lose drops a random end of what was not synced.
func (d *disk) lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.segs[d.last]
	d.n.random(func(r *rand.Rand) { d.segs[d.last] = list[:d.safe+r.IntN(len(list)-d.safe+1)] })
	d.safe = len(d.segs[d.last])
}

func (d *disk) read() (out []rec) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = false
	for s := uint64(1); s <= d.last; s++ {
		out = append(out, d.segs[s]...)
	}
	return out
}

// agree checks that all chains are prefixes of the longest, with equal roots, and
// returns the least height.
func (n *network) agree() uint64 {
	n.t.Helper()
	least, most := n.nodes[0], n.nodes[0]
	for _, x := range n.nodes {
		if x.chain.Head().Height < least.chain.Head().Height {
			least = x
		}
		if x.chain.Head().Height > most.chain.Head().Height {
			most = x
		}
	}
	for _, x := range n.nodes {
		for h := uint64(1); h <= x.chain.Head().Height; h++ {
			a, _, err1 := x.chain.Header(h)
			b, _, err2 := most.chain.Header(h)
			if err := errors.Join(err1, err2); err != nil || a.Hash() != b.Hash() {
				n.t.Fatalf("validator %d and %d differ at height %d: %v", x.index, most.index, h, err)
			}
		}
	}
	return least.chain.Head().Height
}

// included counts the transactions of the first node's chain that were executed.
func (n *network) included() int {
	n.t.Helper()
	count := 0
	c := n.nodes[0].chain
	for h := uint64(1); h <= c.Head().Height; h++ {
		list, err := c.Receipts(h)
		if err != nil {
			n.t.Fatal(err)
		}
		for _, r := range list {
			if !r.System() && r.Code == tx.OK {
				count++
			} else if !r.System() {
				n.t.Errorf("height %d holds a transaction that ends with %v", h, r.Code)
			}
		}
	}
	return count
}
