// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/accuse"
	"github.com/openledger/openledger/node/cards"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/clock"
	"github.com/openledger/openledger/node/config"
	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/events"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/node/member"
	"github.com/openledger/openledger/node/mempool"
	"github.com/openledger/openledger/node/metrics"
	"github.com/openledger/openledger/node/serve"
	"github.com/openledger/openledger/node/settle"
	"github.com/openledger/openledger/node/store"
	nodesync "github.com/openledger/openledger/node/sync"
	"github.com/openledger/openledger/p2p"
	"github.com/openledger/openledger/p2p/fetch"
	"github.com/openledger/openledger/rpc"
)

// Config is what New needs. Keys are already unlocked.
type Config struct {
	Home      string
	Settings  config.Config
	Genesis   genesis.Doc
	Validator keys.PrivateKey // vote key; zero: this node only follows
	Operator  keys.PrivateKey // account that works, checks and serves; zero: none
	Lie       bool            // commit one false segment, to show that it is caught
	Log       *slog.Logger
}

// Node is one running node.
type Node struct {
	cfg   Config
	log   *slog.Logger
	clock clock.Clock
	lock  *homeLock
	token string

	store   *store.Store
	chain   *chain.Chain
	pool    *mempool.Pool
	events  *events.Log
	host    *p2p.Host
	blobs   *fetch.Store
	fetcher *fetch.Fetcher
	topics  topics
	out     outbox
	syncer  *nodesync.Syncer
	court   *accuse.Reporter // evidence that waits to be punished
	member  *member.Member
	rpc     *rpc.Server
	binding []byte
	objects *announced
	till    *settle.Till   // nil without an operator
	gateway *serve.Gateway // nil without an operator
	cards   *cards.Cards   // those that its owner offers
	own     sync.Mutex     // held while a transaction of the operator is built and admitted
	waiters *waiters
	heights *heights
	past    past

	state     atomic.Value // string: starting, syncing, …
	pruning   atomic.Bool
	forgotten time.Time  // of keepDisk: when history was deleted last
	failed    chan error // why the node must stop
	stop      context.CancelFunc
	work      sync.WaitGroup
	started   time.Time
}

// New opens the home and builds every part in the order of ARCHITECTURE section
// 9; nothing runs before Run. Errors name what is wrong and where.
func New(cfg Config) (n *Node, err error) {
	n = &Node{cfg: cfg, log: cfg.Log, clock: clock.NewReal(), started: time.Now(), waiters: newWaiters(), heights: newHeights(), failed: make(chan error, 1)}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	n.state.Store("starting")
	opened := n // an error return sets n to nil
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.release())
		}
	}()
	if n.lock, err = lockHome(cfg.Home); err != nil {
		return nil, err
	}
	if n.token, err = newToken(filepath.Join(cfg.Home, "rpc.token")); err != nil {
		return nil, err
	}
	if err = n.openChain(); err != nil {
		return nil, err
	}
	if err = n.openPast(); err != nil {
		return nil, err
	}
	if err = n.openNetwork(); err != nil {
		return nil, err
	}
	if err = n.openServe(); err != nil {
		return nil, err
	}
	if err = n.openCards(); err != nil {
		return nil, err
	}
	if err = n.openConsensus(); err != nil {
		return nil, err
	}
	n.rpc, err = rpc.New(rpc.Config{Listen: cfg.Settings.RPC.Listen, Backend: n, Events: n.events, Blobs: blobs{n},
		Token: n.token, CORSOrigins: cfg.Settings.RPC.CORSOrigins, Hosts: cfg.Settings.RPC.Hosts, Ready: n.ready,
		Metrics: metrics.Handler(Version, n.snapshot), Log: n.log})
	return n, err
}

// openChain opens store, chain and mempool.
func (n *Node) openChain() (err error) {
	set := n.cfg.Settings
	if n.store, err = store.Open(n.cfg.Home, n.storeOptions()); err != nil {
		return damaged(err, "move "+filepath.Join(n.cfg.Home, "ledger")+" away, keep everything else, and start again: the node fetches the chain anew")
	}
	if n.chain, err = chain.Open(n.store, n.cfg.Genesis); err != nil {
		return err
	}
	limits := mempool.Limits{Txs: int(set.Mempool.MaxTxs), Bytes: int(set.Mempool.MaxMiB) << 20, PerSender: int(set.Mempool.PerSender)}
	n.pool = mempool.New(limits, n.chain.View, n.clock.Now)
	n.events = events.New(n.chain)
	return nil
}

func (n *Node) storeOptions() store.Options {
	return store.Options{CacheMiB: int(n.cfg.Settings.Store.CacheMiB), Logger: n.log}
}

// openNetwork builds the host with its protocols and topics; it does not listen.
func (n *Node) openNetwork() error {
	seed, err := keystore.P2PSeed(filepath.Join(n.cfg.Home, "keys", "p2p.key"))
	if err != nil {
		return err
	}
	if n.blobs, err = fetch.OpenStore(filepath.Join(n.cfg.Home, "blobs"), maxBlobBytes); err != nil {
		return err
	}
	if err := n.bind(seed); err != nil {
		return err
	}
	n.objects = newAnnounced(n.store.Local())
	if n.host, err = p2p.New(n.hostConfig(seed)); err != nil {
		return err
	}
	if n.fetcher, err = fetch.New(fetch.Config{Streams: n.host.Streams(), Store: n.blobs, Book: n.host.Book(),
		Peers: n.peerIDs, Logger: n.log}); err != nil {
		return err
	}
	if err := n.protocols(); err != nil {
		return err
	}
	return n.joinTopics()
}

// openConsensus builds the syncer, and the driver if this node is a validator now.
func (n *Node) openConsensus() error {
	n.syncer = nodesync.New(nodesync.Config{Chain: n.chain, Source: source{n}, Cache: n.pool, Committed: n.committed, Log: n.log})
	n.court = accuse.NewReporter(n.chain.Env().ChainID)
	var err error
	n.member, err = member.New(member.Config{Key: n.cfg.Validator, Chain: n.chain, Syncer: n.syncer, OpenLog: n.openLog, Restart: n.restartLog,
		Epoch: n.setMembers, Turn: n.turned, Log: n.log,
		Driver: driver.Config{Pool: n.pool, Verify: n.verifyTxs, Net: validators{n}, Clock: n.clock, Committed: n.committed, Accuse: n.found, Log: n.log}})
	return err
}

// turned notes what the node does in a new epoch.
func (n *Node) turned(ctx context.Context, validating bool) {
	if validating {
		n.state.Store("validating")
	} else {
		n.state.Store("observing")
		n.handOver(ctx)
	}
}

// Run serves until ctx ends, then stops in reverse order. An error is the reason
// why the node had to stop by itself.
func (n *Node) Run(ctx context.Context) error {
	ctx, n.stop = context.WithCancel(ctx)
	defer n.stop()
	if err := n.host.Start(); err != nil {
		return errors.Join(err, n.release())
	}
	n.spawn(func() {
		err := n.join(ctx)
		if err == nil && ctx.Err() == nil {
			err = n.member.Run(ctx)
		}
		if err == nil && ctx.Err() == nil {
			err = errors.New("consensus stopped")
		}
		n.halt(err)
	})
	n.startWork(ctx)
	n.spawn(func() { n.makeSnapshots(ctx) })
	n.spawn(func() {
		if err := n.keepDisk(ctx); err != nil {
			n.halt(err)
		}
	})
	n.rpc.Start()
	n.log.Info("ready", "rpc", "http://"+n.rpc.Addr(), "height", n.chain.Head().Height, "peer", n.host.ID(), "in", time.Since(n.started).Round(time.Millisecond))
	var err error
	select {
	case <-ctx.Done():
	case err = <-n.failed:
		if err != nil && !errors.Is(err, ErrRestart) {
			n.log.Error("node must stop", "err", err)
		}
	}
	n.state.Store("stopping")
	n.stop()
	return errors.Join(err, n.shutdown())
}

// halt ends Run with err, nil when it was told to stop. Only the first counts.
func (n *Node) halt(err error) {
	select {
	case n.failed <- err:
	default:
	}
}

func (n *Node) spawn(f func()) {
	n.work.Add(1)
	go func() { defer n.work.Done(); f() }()
}

const stopTimeout = 10 * time.Second

// shutdown stops what Run started.
func (n *Node) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := n.rpc.Close(ctx)
	n.work.Wait()
	return errors.Join(err, n.release())
}

// release closes what New opened, in reverse order.
func (n *Node) release() error {
	var errs []error
	if n.rpc != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		errs = append(errs, n.rpc.Close(ctx))
	}
	if n.fetcher != nil {
		n.fetcher.Close()
	}
	if n.host != nil {
		errs = append(errs, n.host.Close())
	}
	if n.member != nil {
		errs = append(errs, n.member.Close())
	}
	if n.store != nil {
		errs = append(errs, n.closeStore())
	}
	if n.lock != nil {
		errs = append(errs, n.lock.release())
	}
	return errors.Join(errs...)
}

// closeStore closes the database within a bound: where its folder is gone, it would
// try for ever to write the last of its tables. Nothing final is lost then that
// stood on the disk.
func (n *Node) closeStore() error {
	closed := make(chan error, 1)
	go func() { closed <- n.store.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(stopTimeout):
		return fmt.Errorf("the database in %s does not close within %v: was the folder deleted or moved while the node ran, or does the disk not answer? start on the folder as it is; what is missing is fetched from peers",
			filepath.Join(n.cfg.Home, "ledger"), stopTimeout)
	}
}

// committed runs after each commit, where the chain is written.
func (n *Node) committed(b *chain.Block) {
	h := b.Header()
	if err := n.pool.Committed(b.Verified.Txs(), b.Receipts); err != nil {
		n.log.Error("mempool after commit", "height", h.Height, "err", err)
	}
	n.events.Committed(h.Height, b.Receipts)
	n.waiters.committed(b, n.pool.Has)
	if f := b.Finalization; int(h.Leader) == n.member.Index() && f != nil && f.View == h.View && n.member.Open() {
		n.publishFinal(h, b.Finalization)
	}
	n.passing(h)
	if h.Kind == header.KindSeal {
		n.sealed(b)
	}
	n.prune(h.Height)
}

// pruneEvery is how many heights pass between prunings, minRetain how many are
// kept whatever is configured: a core may be rooted a few heights below the head.
const (
	pruneEvery = 2_048
	minRetain  = 1_024
)

// prune gives up old states beside the chain, which it must not hold up.

func (n *Node) prune(height uint64) {
	keep := max(n.cfg.Settings.Store.RetainHeights, minRetain)
	if n.cfg.Settings.Store.Archive || height%pruneEvery != 0 || height <= keep {
		return
	}
	if n.pruning.Swap(true) {
		return // the last one is still at work
	}
	n.spawn(func() {
		defer n.pruning.Store(false)
		if err := n.store.Prune(keep); err != nil {
			n.log.Warn("prune", "height", height, "err", err)
		}
	})
}

// view returns the newest committed state.
func (n *Node) view() (state.View, error) { return n.chain.View() }

// maxLag is how many heights behind a node is still up to date: blocks are made
// faster than they travel.
const maxLag = 16

// ready is the answer of /readyz.
func (n *Node) ready() error {
	if lag := n.lag(); lag > maxLag {
		return fmt.Errorf("%d heights behind", lag)
	}
	return nil
}
