// SPDX-License-Identifier: Apache-2.0

package seals

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/p2p/peers"
)

const (
	askTimeout = 10 * time.Second
	lieCost    = -200 // P2P-12
)

// Errors of Follow and Start.
var (
	// ErrLie reports an answer that no honest peer gives; the peer is punished.
	ErrLie = errors.New("false seal")
	// ErrPeers reports that no peer has what is asked for; try again later.
	ErrPeers = errors.New("no peer answered")
)

// Source asks peers.
type Source interface {
	// Peers returns whom to ask, the best first.
	Peers() []peers.ID
	// Ask sends one request and hands each frame of the answer to each.
	Ask(ctx context.Context, id peers.ID, protocol string, req []byte, each func([]byte) error) error
	Punish(id peers.ID, points float64)
}

// Follow advances l with the records of peers until none has more, and keeps them
// in book. Every peer is asked once after the last progress, so one honest peer is
// enough. Errors: ErrPeers if nobody answered at all, those of book and ctx.
func Follow(ctx context.Context, src Source, l *cert.Light, book *Book, log *slog.Logger) error {
	answered := false
	list := src.Peers()
	for i := 0; i < len(list) && ctx.Err() == nil; {
		n, err := from(ctx, src, list[i], l, book)
		var broken *diskError
		switch {
		case errors.As(err, &broken):
			return broken.err
		case errors.Is(err, ErrLie):
			log.Warn("peer sent a false seal", "peer", list[i], "epoch", l.Set().Epoch(), "err", err)
			src.Punish(list[i], lieCost)
		case err != nil:
			log.Debug("seals from peer", "peer", list[i], "err", err)
		default:
			answered = true
		}
		if n == 0 || err != nil {
			i++
		}
	}
	if !answered && ctx.Err() == nil {
		return ErrPeers
	}
	return ctx.Err()
}

// diskError is a failure of the own records, no peer's fault.
type diskError struct{ err error }

func (e *diskError) Error() string { return e.err.Error() }

// from asks one peer for the records that follow l, and returns how many l took.
func from(ctx context.Context, src Source, id peers.ID, l *cert.Light, book *Book) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req := enc.Encode(Request{From: l.Set().Epoch(), Count: MaxCount})
	err = src.Ask(ctx, id, Protocol, req, func(frame []byte) error {
		r, err := cert.DecodeSeal(frame)
		if err == nil {
			err = l.Take(r)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrLie, err)
		}
		if n++; n > MaxCount {
			return fmt.Errorf("%w: more than was asked for", ErrLie)
		}
		if err := book.Put(r); err != nil {
			return &diskError{err}
		}
		return nil
	})
	return n, err
}

// Checkpoint is a block that the operator trusts: its height and hash.
type Checkpoint struct {
	Height uint64
	Hash   header.Hash
}

// Start makes the light reader of a checkpoint: peers send its header, which the
// hash proves, and the set that it names, which the header proves. first is the
// set of epoch 0. Errors: ErrPeers if nobody has them, those of cert.NewLight, ctx.
func Start(ctx context.Context, src Source, c Checkpoint, first *valset.Set) (*cert.Light, error) {
	for _, id := range src.Peers() {
		h, err := headerOf(ctx, src, id, c)
		if err != nil || h == nil {
			continue
		}
		if h.Epoch == first.Epoch() {
			return cert.NewLight(*h, first)
		}
		if set := setBefore(ctx, src, id, h); set != nil {
			return cert.NewLight(*h, set)
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("%w: nobody has block %x of height %d; check that the checkpoint is of this network", ErrPeers, c.Hash, c.Height)
}

// headerOf asks one peer for the checkpoint's header; nil if it has another or none.
func headerOf(ctx context.Context, src Source, id peers.ID, c Checkpoint) (found *header.Header, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err = src.Ask(ctx, id, Protocol, enc.Encode(Request{Height: c.Height}), func(frame []byte) error {
		h, err := header.Decode(frame)
		if err == nil && h.Hash() == c.Hash && h.Height == c.Height {
			found = &h
		}
		return err
	})
	return found, err
}

// setBefore asks one peer for the set that h names, which the record of the epoch
// before h's elects.
func setBefore(ctx context.Context, src Source, id peers.ID, h *header.Header) (found *valset.Set) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_ = src.Ask(ctx, id, Protocol, enc.Encode(Request{From: h.Epoch - 1, Count: 1}), func(frame []byte) error {
		r, err := cert.DecodeSeal(frame)
		if err != nil {
			return err
		}
		if set, err := valset.Decode(r.Next); err == nil && set.Hash() == h.SetHash {
			found = set
		}
		return nil
	})
	return found
}
