// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
)

// worker asks one peer for pieces of one blob.
type worker struct {
	f    *Fetcher
	j    *job
	peer peers.ID
	c    *stream.Conn
	owed []piece // asked and not answered, oldest first
	got  uint64  // verified bytes, for the score
}

// work runs until the blob is complete or the peer is of no more use. A peer
// that lied pays points and loses the stream.
func (f *Fetcher) work(ctx context.Context, j *job, peer peers.ID) error {
	c, err := f.cfg.Streams.Open(ctx, peer, Name)
	if err != nil {
		return fmt.Errorf("peer %s: %w", peer, err)
	}
	w := &worker{f: f, j: j, peer: peer, c: c}
	err = w.probe()
	if err == nil {
		err = w.loop(ctx)
	}
	_ = c.Close()
	j.giveBack(w.owed)
	f.cfg.Book.Add(peer, float64(w.got)/(1<<20)*peers.UsefulMiB)
	if errors.Is(err, ErrWrong) {
		f.wrong.Add(1)
		f.cfg.Book.Add(peer, -peers.WrongUnit)
		f.cfg.Logger.Warn("peer sent a wrong piece", "peer", peer, "blob", j.id, "reason", err)
	}
	if err != nil {
		return fmt.Errorf("peer %s: %w", peer, err)
	}
	return nil
}

// probe asks for the size and, while it is unproved, for the last page and the
// last unit, which prove it.
func (w *worker) probe() error {
	body, err := w.one(opSize, 0)
	if err != nil {
		return err
	}
	size, err := decodeSize(body)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWrong, err)
	}
	if proved, ok := w.j.proven(); ok {
		if proved != size {
			return fmt.Errorf("size %d of a blob of %d bytes: %w", size, proved, ErrWrong)
		}
		return nil
	}
	last := content.UnitCount(size) - 1
	if body, err = w.one(opPage, last/content.PageUnits); err != nil {
		return err
	}
	page, err := w.j.verifyPage(size, last/content.PageUnits, body)
	if err != nil {
		return err
	}
	unit, err := w.one(opUnit, last)
	if err != nil {
		return err
	}
	if err := page.VerifyUnit(last, unit); err != nil {
		return fmt.Errorf("%w: %w", ErrWrong, err)
	}
	w.got += uint64(len(unit))
	return w.j.prove(size, page, unit)
}

// one asks for a single piece and waits for it.
func (w *worker) one(op, index uint64) ([]byte, error) {
	if err := w.c.WriteFrame(enc.Encode(request{ID: w.j.id, Op: op, Index: index})); err != nil {
		return nil, err
	}
	return w.read()
}

// read returns the body of the next answer. Errors: stream.ErrNotFound, ErrWrong
// for a malformed answer, the stream's error.
func (w *worker) read() ([]byte, error) {
	raw, err := w.c.ReadFrame()
	if err != nil {
		return nil, err
	}
	body, ok, err := decodeAnswer(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWrong, err)
	}
	if !ok {
		return nil, stream.ErrNotFound
	}
	return body, nil
}

// loop keeps up to 16 requests outstanding until the blob is complete.
func (w *worker) loop(ctx context.Context) error {
	for {
		_, _, complete, err, news := w.j.state()
		if complete || err != nil {
			return nil // the caller of the job sees its error
		}
		if err := w.fill(); err != nil {
			return err
		}
		if len(w.owed) == 0 {
			t := time.NewTimer(stealAfter)
			select {
			case <-news:
			case <-t.C:
			case <-ctx.Done():
			}
			t.Stop()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		body, err := w.read()
		if err != nil {
			return err
		}
		if err := w.j.deliver(w.owed[0], body); err != nil {
			return err
		}
		w.owed = w.owed[1:]
		w.got += uint64(len(body))
	}
}

// fill writes requests, all in one write, until the window is full or there is
// nothing to ask for.
func (w *worker) fill() error {
	var buf []byte
	for len(w.owed) < window {
		p, ok := w.j.take(len(w.owed) == 0, time.Now())
		if !ok {
			break
		}
		w.owed = append(w.owed, p)
		op := uint64(opUnit)
		if p.page {
			op = opPage
		}
		buf = stream.AppendFrame(buf, enc.Encode(request{ID: w.j.id, Op: op, Index: p.index}))
	}
	if buf == nil {
		return nil
	}
	return w.c.Write(buf)
}

// runDocument fetches a document named by SHA2-256: one unit, from one peer
// after the other.
func (f *Fetcher) runDocument(ctx context.Context, id content.ID, queue []peers.ID) error {
	var failures []error
	for _, peer := range queue {
		err := f.document(ctx, id, peer)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrFull) {
			return err
		}
		failures = append(failures, fmt.Errorf("peer %s: %w", peer, err))
	}
	return fmt.Errorf("%w: %w", ErrNoProvider, errors.Join(failures...))
}

func (f *Fetcher) document(ctx context.Context, id content.ID, peer peers.ID) error {
	c, err := f.cfg.Streams.Open(ctx, peer, Name)
	if err != nil {
		return err
	}
	defer c.Close()
	w := &worker{f: f, j: newJob(f, id, 0), peer: peer, c: c}
	body, err := w.one(opUnit, 0)
	if err == nil && !id.Matches(body) {
		err = fmt.Errorf("document of another hash: %w", ErrWrong)
	}
	if err != nil {
		if errors.Is(err, ErrWrong) {
			f.wrong.Add(1)
			f.cfg.Book.Add(peer, -peers.WrongUnit)
		}
		return err
	}
	f.fetched.Add(1)
	_, err = f.cfg.Store.PutDocument(body)
	return err
}
