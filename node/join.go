// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/seals"
	"github.com/openledger/openledger/node/snapshot"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/rpc/api"
)

// Errors of joining.
var (
	// ErrRestart says that a snapshot has replaced the ledger: make the node anew
	// from the same Config and run it again.
	ErrRestart = errors.New("the ledger was replaced by a snapshot; the node starts again")
	// ErrTrust says that the home, or what peers prove, contradicts the block that
	// the operator trusts.
	ErrTrust = errors.New("this is not the chain that you trust")
)

const (
	peerWait  = 5 * time.Second        // for the first peer, before a node goes on alone
	lookEvery = 100 * time.Millisecond // while waiting for peers
	askAgain  = 5 * time.Second        // until a trusted block is asked for again
	// maxBack is how many epochs back a snapshot may be: peers hold the last two.
	maxBack = 16
)

// ParseTrust reads HEIGHT:HASH.
func ParseTrust(s string) (seals.Checkpoint, error) {
	left, right, ok := strings.Cut(s, ":")
	height, err1 := strconv.ParseUint(left, 10, 64)
	hash, err2 := api.ParseHash(right)
	if !ok || err1 != nil || err2 != nil || height == 0 {
		return seals.Checkpoint{}, fmt.Errorf("%q is not HEIGHT:HASH of a final block", s)
	}
	return seals.Checkpoint{Height: height, Hash: hash}, nil
}

// join brings a node that is far behind to the newest snapshot, before it votes or
// follows (NODE-12): trust root, seals epoch by epoch, snapshot. It does nothing
// for a node that is near the head and can get there by blocks, or whose peers have no
// snapshot worth it.
// Errors: ErrRestart when the ledger was replaced; ErrTrust, cert.ErrTrustExpired;
// those of the disk and ctx.
func (n *Node) join(ctx context.Context) error {
	if err := n.checkTrust(); err != nil {
		return err
	}
	limit := n.cfg.Settings.Sync.SnapshotLag
	if n.cfg.Settings.Store.Archive {
		limit = 0
	}
	ahead := n.past.trust.Height > n.chain.Head().Height // nothing is believed before that block is found
	far := limit > 0 && n.awaitPeers(ctx) && n.lag() > limit
	if limit > 0 && !far && n.outOfReach() {
		far, limit = true, 0
	}
	if !ahead && !far {
		return nil
	}
	n.state.Store("syncing")
	l, err := n.trustRoot(ctx)
	if err != nil || !far {
		return err
	}
	if err := seals.Follow(ctx, source{n}, l, n.past.seals, n.log); err != nil {
		n.log.Warn("no seals from peers; going on by blocks", "err", err)
		return nil
	}
	at := l.At()
	n.log.Info("epochs followed", "epoch", l.Set().Epoch(), "height", at.Height)
	seal := n.newestOffered(ctx, l.Set().Epoch(), n.chain.Head().Height+limit)
	if seal == nil {
		n.log.Info("no peer offers a snapshot; going on by blocks", "behind", n.lag())
		return nil
	}
	return n.fetchState(ctx, seal)
}

// outOfReach reports whether some peers are ahead, and every one of them has given
// up the block above the own head: blocks do not lead there any more.
func (n *Node) outOfReach() bool {
	next, ahead := n.chain.Head().Height+1, false
	for _, p := range n.host.Peers() {
		if n.heights.believed(p.ID, p.Status.Height) < next {
			continue
		}
		if p.Status.Earliest <= next {
			return false
		}
		ahead = true
	}
	return ahead
}

// checkTrust compares the own chain with the trusted block, if it reaches it.
func (n *Node) checkTrust() error {
	t := n.past.trust
	if t.Height == 0 {
		return nil
	}
	h, _, err := n.chain.Header(t.Height)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil && h.Hash() != t.Hash {
		return fmt.Errorf("%w: block %d of this home is %x, you trust %x; check --trust, or start with another home", ErrTrust, t.Height, h.Hash(), t.Hash)
	}
	return err
}

// passing checks a committed block against the trusted one; a chain that differs
// stops the node.
func (n *Node) passing(h *header.Header) {
	if t := n.past.trust; h.Height == t.Height && h.Hash() != t.Hash {
		n.halt(fmt.Errorf("%w: block %d of this chain is %x, you trust %x; check --trust, then start with another home", ErrTrust, t.Height, h.Hash(), t.Hash))
	}
}

// awaitPeers waits a moment for the first peer of a node that knows whom to call.
func (n *Node) awaitPeers(ctx context.Context) bool {
	if len(n.cfg.Settings.P2P.Bootstrap) == 0 {
		return len(n.host.Peers()) > 0
	}
	for end := time.Now().Add(peerWait); len(n.host.Peers()) == 0 && time.Now().Before(end); {
		if !pause(ctx, lookEvery) {
			return false
		}
	}
	return len(n.host.Peers()) > 0
}

// trustRoot is where following the epochs begins: the operator's block, if it lies
// above the own head, or the own head, which is genesis in a fresh home.
//
// A trusted block that is too old is refused. An old head is not: a network that
// stood still as a whole must be able to start again (docs/adr/0015).
func (n *Node) trustRoot(ctx context.Context) (*cert.Light, error) {
	head := n.chain.Head().Height
	t := n.past.trust
	if t.Height <= head {
		h, _, err := n.chain.Header(head)
		if err != nil {
			return nil, err
		}
		l, err := cert.NewLight(*h, n.chain.Set())
		if err == nil {
			if late := l.Expired(n.clock.Wall(), n.trustPeriod()); late != nil {
				n.log.Warn("own head is old; anyone who validated then can lie for free now: compare a newer block hash with somebody you trust and pass it with --trust", "err", late)
			}
		}
		return l, err
	}
	first, err := n.setOf(genesis.Epoch)
	if err != nil {
		return nil, err
	}
	for {
		l, err := seals.Start(ctx, source{n}, t, first)
		switch at := (header.Header{}); {
		case errors.Is(err, seals.ErrPeers):
			n.log.Warn("the trusted block is not found yet", "err", err)
			if !pause(ctx, askAgain) {
				return nil, ctx.Err()
			}
			continue
		case err != nil:
			return nil, err
		default:
			if at = l.At(); at.ChainID != n.chain.Env().ChainID {
				return nil, fmt.Errorf("%w: block %x of height %d is of another network", ErrTrust, t.Hash, t.Height)
			}
			if err := l.Expired(n.clock.Wall(), n.trustPeriod()); err != nil {
				return nil, fmt.Errorf("--trust: %w; get the hash of a newer block from somebody you trust", err)
			}
			return l, nil
		}
	}
}

// trustPeriod is two thirds of the unbonding time in the own state (CONS-49).
func (n *Node) trustPeriod() uint64 {
	v, err := n.view()
	if err != nil {
		return 0
	}
	p, err := state.GetParams(v)
	if err != nil {
		return 0
	}
	return p.Staking.UnbondingMS * 2 / 3
}

// newestOffered returns the newest seal, proved final, whose snapshot some peer
// offers and which is above a height; nil if there is none.
func (n *Node) newestOffered(ctx context.Context, epoch, above uint64) *header.Header {
	var offered []header.Hash
	for _, id := range (source{n}).Peers() {
		list, err := snapshot.Offers(ctx, source{n}, id)
		if err != nil {
			n.log.Debug("snapshot offers", "peer", id, "err", err)
		}
		for _, o := range list {
			offered = append(offered, o.Seal)
		}
	}
	for e := epoch; e > 0 && e+maxBack > epoch; e-- {
		s, err := n.past.seals.Get(e - 1)
		if err != nil {
			return nil
		}
		if s.Header.Height > above && slices.Contains(offered, s.Header.Hash()) {
			return &s.Header
		}
	}
	return nil
}

// fetchState brings the snapshot of a seal and builds the ledger from it. What
// peers cannot give leaves the node to the blocks. Errors: ErrRestart on success.
func (n *Node) fetchState(ctx context.Context, seal *header.Header) error {
	start := time.Now()
	got, err := snapshot.Fetch(ctx, snapshot.FetchConfig{Dir: n.past.dir, Source: source{n}, Log: n.log}, *seal)
	if errors.Is(err, snapshot.ErrPeers) {
		n.log.Warn("snapshot is incomplete; going on by blocks, a later start goes on with it", "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	first, err := n.store.HeaderCert(0)
	if err != nil {
		return err
	}
	record, err := n.past.seals.Get(seal.Epoch)
	if err != nil {
		return err
	}
	if err := got.Import(n.cfg.Home, n.storeOptions(), first, &record.Proof.Finalization); err != nil {
		return err
	}
	n.log.Info("joined by snapshot", "height", seal.Height-1, "in", time.Since(start).Round(time.Millisecond))
	return ErrRestart
}
