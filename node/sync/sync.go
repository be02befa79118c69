// SPDX-License-Identifier: Apache-2.0

package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/p2p/peers"
)

// Errors.
var (
	// ErrLie reports an answer that no honest peer gives; the peer is punished.
	ErrLie = errors.New("false chain")
	// ErrPeers reports that no peer could be asked; try again later.
	ErrPeers = errors.New("no peer answered")
)

const (
	askTimeout = 20 * time.Second
	pollEvery  = time.Second
	pace       = 250 * time.Millisecond // between two questions to one peer (P2P-08)
	maxTurns   = 4                      // peers that a follower asks in turns
	lieCost    = -200                   // P2P-12
	syncEvery  = 64                     // blocks of a follower between syncs of its database
	maxOpen    = 1_024
	maxOpenLen = 64 << 20
)

// Source asks peers.
type Source interface {
	// Peers returns whom to ask, the best first.
	Peers() []peers.ID
	// Ask sends one request and hands each frame of the answer to each.
	Ask(ctx context.Context, id peers.ID, protocol string, req []byte, each func([]byte) error) error
	// Ahead reports whether some peer is believed to have more than height.
	Ahead(height uint64) bool
	// Short says that a peer had nothing above height, whatever it claimed.
	Short(id peers.ID, height uint64)
	Punish(id peers.ID, points float64)
}

// Config is what a Syncer needs.
type Config struct {
	Chain     *chain.Chain
	Source    Source
	Cache     ledger.Cache // transactions that were verified before; may be nil
	Committed func(*chain.Block)
	Log       *slog.Logger
}

// Commit commits final blocks in order. It returns when they are committed.
type Commit = func(ctx context.Context, blocks []*chain.Block) error

// Syncer fetches the chain for one node.
type Syncer struct {
	cfg      Config
	wake     chan struct{}
	turn     int
	unsynced int
}

// New returns a Syncer.
func New(cfg Config) *Syncer {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Syncer{cfg: cfg, wake: make(chan struct{}, 1)}
}

// Wake says that a newer final block was heard of. Any goroutine may call it.
func (s *Syncer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Follow keeps a full node at the head until ctx ends or, with all that peers have
// committed, done says so. It writes to the chain. Errors: those of chain.Commit;
// what peers do wrong is not one.
func (s *Syncer) Follow(ctx context.Context, done func() bool) error {
	t := time.NewTimer(pollEvery)
	defer t.Stop()
	for {
		err := s.Catchup(ctx, s.commit)
		if err != nil && !peersFault(err) && ctx.Err() == nil {
			return err
		}
		if err == nil && done() {
			return s.cfg.Chain.Sync()
		}
		t.Reset(pace / time.Duration(max(1, min(maxTurns, len(s.cfg.Source.Peers())))))
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		t.Reset(pollEvery)
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-t.C:
		}
	}
}

// peersFault reports errors that another peer may not give.
func peersFault(err error) bool { return errors.Is(err, ErrLie) || errors.Is(err, ErrPeers) }

// commit is the Commit of a node that only follows.
func (s *Syncer) commit(_ context.Context, blocks []*chain.Block) error {
	for _, b := range blocks {
		done, err := s.cfg.Chain.Commit(b)
		if err != nil {
			return fmt.Errorf("commit height %d: %w", b.Header().Height, err)
		}
		if done && s.cfg.Committed != nil {
			s.cfg.Committed(b)
		}
	}
	if s.unsynced += len(blocks); s.unsynced < syncEvery {
		return nil
	}
	s.unsynced = 0
	return s.cfg.Chain.Sync()
}

// Catchup fetches what peers have beyond the head and gives it to commit, until
// no peer has more. One call runs at a time. Errors: ErrPeers, ErrLie, those of
// commit and ctx.
func (s *Syncer) Catchup(ctx context.Context, commit Commit) error {
	var fault error
	for failed := 0; ctx.Err() == nil; {
		list := s.cfg.Source.Peers()
		if len(list) == 0 {
			return ErrPeers
		}
		if failed >= len(list) {
			return fault
		}
		id := list[(s.turn+failed)%len(list)]
		n, err := s.from(ctx, id, commit)
		switch {
		case err != nil && !peersFault(err):
			return err
		case err != nil:
			s.cfg.Log.Debug("sync from peer", "peer", id, "err", err)
			fault = err
			failed++
		case !s.cfg.Source.Ahead(s.cfg.Chain.Head().Height):
			s.turn++ // the next look asks another one
			return nil
		case n > 0:
			failed = 0
		default:
			failed++
		}
	}
	return ctx.Err()
}

// from asks one peer for blocks above the head until it has no more, and gives to
// commit what is proved final. It returns how many that were.
func (s *Syncer) from(ctx context.Context, id peers.ID, commit Commit) (committed int, err error) {
	run, err := s.start()
	if err != nil {
		return 0, err
	}
	for ctx.Err() == nil {
		before := run.parent.Height
		run.full = 0
		err := s.ask(ctx, id, run)
		final, bad := run.take()
		if err == nil || bad != nil {
			err = bad
		}
		if len(final) > 0 {
			if err := commit(ctx, final); err != nil {
				return committed, err
			}
			committed += len(final)
		}
		switch {
		case errors.Is(err, ErrLie):
			s.cfg.Source.Punish(id, lieCost)
			return committed, err
		case err != nil:
			return committed, err
		case run.sealed: // another set signs what follows
			if run, err = s.start(); err != nil {
				return committed, err
			}
		case run.parent.Height < before+MaxBlocks && run.full < MaxBytes:
			if committed == 0 {
				s.cfg.Source.Short(id, before)
			}
			return committed, nil
		}
	}
	return committed, ctx.Err()
}

// ask sends one request and adds the answer to run. Errors: ErrLie, ErrPeers.
func (s *Syncer) ask(ctx context.Context, id peers.ID, run *segment) error {
	askCtx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req := enc.Encode(Request{From: run.parent.Height + 1, Count: MaxBlocks})
	var lie error
	err := s.cfg.Source.Ask(askCtx, id, Protocol, req, func(frame []byte) error {
		lie = run.add(frame)
		return lie
	})
	switch {
	case lie != nil:
		return lie
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("%w: %w", ErrPeers, err)
	}
	return nil
}
