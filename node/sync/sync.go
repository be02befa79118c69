// SPDX-License-Identifier: Apache-2.0

package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/p2p/peers"
)

// ErrLie reports an answer that no honest peer gives; the peer is punished.
var ErrLie = errors.New("false chain")

const (
	askTimeout = 20 * time.Second
	pollEvery  = time.Second
	lieCost    = -200 // P2P-12
)

// Source asks peers.
type Source interface {
	// Peers returns whom to ask, the best first.
	Peers() []peers.ID
	Ask(ctx context.Context, id peers.ID, protocol string, req []byte, each func([]byte) error) error
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

// Syncer advances one chain. Its methods must be called where the chain's
// writing methods are.
type Syncer struct {
	cfg  Config
	wake chan struct{}
	turn int
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

// Follow keeps a full node at the head until ctx ends.
func (s *Syncer) Follow(ctx context.Context) error {
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		if _, err := s.Catchup(ctx); fatal(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-t.C:
		}
	}
}

// fatal reports errors after which the node must stop: everything that is not a
// peer's fault.
func fatal(err error) bool {
	return err != nil && !errors.Is(err, ErrLie) && !errors.Is(err, errPeers) && !errors.Is(err, context.Canceled)
}

var errPeers = errors.New("no peer answered")

// Catchup commits everything that peers have beyond the head, and returns the
// root for a consensus core. Errors: ErrLie, those of chain.Commit.
func (s *Syncer) Catchup(ctx context.Context) (consensus.Root, error) {
	failures := 0
	for ctx.Err() == nil {
		list := s.cfg.Source.Peers()
		if len(list) == 0 || failures > len(list) {
			return consensus.Root{}, errPeers
		}
		id := list[s.turn%len(list)]
		n, err := s.from(ctx, id)
		if fatal(err) {
			return consensus.Root{}, err
		}
		if err != nil {
			s.cfg.Log.Debug("sync from peer", "peer", id, "err", err)
			s.turn++
			failures++
			continue
		}
		if n == 0 {
			s.turn++
			break
		}
		failures = 0
	}
	return s.cfg.Chain.Root()
}

// from asks one peer for the next blocks and commits those that it can prove
// final.
func (s *Syncer) from(ctx context.Context, id peers.ID) (committed int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	head := s.cfg.Chain.Head()
	last, _, err := s.cfg.Chain.Header(head.Height)
	if err != nil {
		return 0, err
	}
	run := &segment{s: s, parent: *last, hash: head.HeaderHash}
	req := enc.Encode(Request{From: head.Height + 1, Count: MaxBlocks})
	err = s.cfg.Source.Ask(ctx, id, Protocol, req, func(frame []byte) error {
		n, err := run.add(frame)
		committed += n
		return err
	})
	switch {
	case errors.Is(err, ErrLie):
		s.cfg.Source.Punish(id, lieCost)
	case err != nil && !fatal(err) || isAsk(err):
		err = fmt.Errorf("%w: %w", errPeers, err)
	}
	return committed, err
}

// isAsk reports errors of the exchange itself, not of committing.
func isAsk(err error) bool {
	return err != nil && !errors.Is(err, errCommit) && !errors.Is(err, ErrLie)
}

var errCommit = errors.New("commit synced block")

// segment is consecutive blocks of which none is proved final yet.
type segment struct {
	s      *Syncer
	parent header.Header
	hash   header.Hash
	blocks []*chain.Block
}

// add takes the next block; when its own finalization stands, all waiting
// blocks are final and are committed.
func (g *segment) add(frame []byte) (committed int, err error) {
	var b Block
	if err := enc.Decode(frame, &b); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrLie, err)
	}
	if err := errors.Join(b.Header.Check(), g.parent.CheckChild(g.hash, &b.Header)); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrLie, err)
	}
	env := g.s.cfg.Chain.Env()
	v, err := ledger.Verify(env.ChainID, ledger.Block{Header: b.Header, Batches: b.Batches}, g.s.cfg.Cache)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrLie, err)
	}
	next := &chain.Block{Hash: b.Header.Hash(), Verified: v, Finalization: b.Final}
	g.blocks = append(g.blocks, next)
	g.parent, g.hash = b.Header, next.Hash
	if b.Final == nil || b.Final.View != b.Header.View {
		return 0, nil
	}
	if err := g.final(b.Final, next.Hash); err != nil {
		return 0, err
	}
	for _, blk := range g.blocks {
		done, err := g.s.cfg.Chain.Commit(blk)
		if err != nil {
			return committed, fmt.Errorf("%w: height %d: %w", errCommit, blk.Header().Height, err)
		}
		if done && g.s.cfg.Committed != nil {
			g.s.cfg.Committed(blk)
		}
		committed++
	}
	g.blocks = nil
	return committed, nil
}

func (g *segment) final(fin *cert.Certificate, block header.Hash) error {
	if fin.Hash() != block {
		return fmt.Errorf("%w: certificate of another block", ErrLie)
	}
	if err := cert.VerifyFinalization(g.s.cfg.Chain.Set(), g.s.cfg.Chain.Env().ChainID, fin); err != nil {
		return fmt.Errorf("%w: %w", ErrLie, err)
	}
	return nil
}
