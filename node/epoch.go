// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"sync"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/vrf"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/store"
)

// part is what this node does in one validator epoch.
type part struct {
	driver *driver.Driver // nil: it only follows
	index  int            // in the set, −1 for none
}

// validating returns the driver of the present epoch, nil for a node that follows.
func (n *Node) validating() *driver.Driver { return n.part.Load().driver }

// openEpoch makes this node ready for the epoch above the head: as one of its
// validators if its vote key is in the set, else as a follower.
func (n *Node) openEpoch() error {
	set, key := n.chain.Set(), n.cfg.Validator
	n.setMembers(set)
	if !n.elected() {
		n.part.Store(&part{index: -1})
		return nil
	}
	index := set.Index(key.Public())
	core, err := n.coreConfig()
	if err != nil {
		return err
	}
	cfg := driver.Config{Core: core, Chain: n.chain, Pool: n.pool, Verify: n.verifyTxs, Net: validators{n}, Clock: n.clock,
		Catchup: n.syncer.Catchup, Committed: n.committed, Log: n.log}
	if n.wal == nil {
		if n.wal, err = n.openLog(&cfg); err != nil {
			return err
		}
	}
	cfg.WAL = n.wal
	d, err := driver.New(cfg)
	if err != nil {
		return err
	}
	n.part.Store(&part{driver: d, index: index})
	for _, frame := range n.upcoming.take() {
		n.deliver(d, frame)
	}
	return nil
}

// coreConfig is what a core of the epoch above the head decides under.
func (n *Node) coreConfig() (consensus.Config, error) {
	root, err1 := n.chain.Root()
	start, err2 := n.chain.EpochStart()
	params, err3 := n.coreParams()
	key := n.cfg.Validator
	return consensus.Config{ChainID: n.chain.Env().ChainID, Set: n.chain.Set(), Seed: start.Header.Beacon, Start: start, Root: root,
		Key: key, BLS: bls.Derive(key), VRF: vrf.Derive(key), Params: params}, errors.Join(err1, err2, err3)
}

// coreParams are the parameters of consensus in the state. They hold all epoch.
func (n *Node) coreParams() (consensus.Params, error) {
	v, err := n.view()
	if err != nil {
		return consensus.Params{}, err
	}
	p, err := state.GetParams(v)
	out := consensus.LocalParams()
	if !n.chain.Env().TimeEpochs {
		out.EpochMS = p.EpochMS
	}
	return out, err
}

// advance moves the chain, epoch by epoch: this node votes where its key is in the
// set, and follows where it is not.
func (n *Node) advance(ctx context.Context) error {
	for {
		p := n.part.Load()
		var err error
		if p.driver != nil {
			n.state.Store("validating")
			err = p.driver.Run(ctx)
		} else {
			n.state.Store("observing")
			err = n.syncer.Follow(ctx, n.elected)
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
		if err := n.openEpoch(); err != nil {
			return err
		}
		n.log.Info("epoch", "number", n.chain.Set().Epoch(), "validators", n.chain.Set().Len(), "own", n.part.Load().index)
	}
}

// elected reports whether this node votes above the head: its key is in the set,
// and it knows where the epoch starts, which it does not between the base of a
// snapshot and the seal above it.
func (n *Node) elected() bool {
	if n.cfg.Validator.IsZero() || n.chain.Set().Index(n.cfg.Validator.Public()) < 0 {
		return false
	}
	_, err := n.chain.EpochStart()
	return !errors.Is(err, store.ErrNotFound)
}

// deliver gives a frame to the driver, or keeps it for the next one.
func (n *Node) deliver(d *driver.Driver, frame []byte) {
	switch err := d.Deliver(frame); {
	case errors.Is(err, driver.ErrLater):
		n.upcoming.keep(frame)
	case err != nil:
		n.log.Debug("bad consensus frame", "err", err)
	}
}

// Bounds of upcoming.
const (
	upcomingFrames = 1_024
	upcomingBytes  = 4 << 20
)

// upcoming is frames of an epoch that others have entered before us, so that the
// first views of an epoch wait for no repetition. When it is full, new ones are
// dropped. It is safe for concurrent use.
type upcoming struct {
	mu     sync.Mutex
	frames [][]byte
	bytes  int
}

func (e *upcoming) keep(frame []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.frames) < upcomingFrames && e.bytes+len(frame) <= upcomingBytes {
		e.frames, e.bytes = append(e.frames, frame), e.bytes+len(frame)
	}
}

func (e *upcoming) take() [][]byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.frames
	e.frames, e.bytes = nil, 0
	return out
}
