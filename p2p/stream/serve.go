// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/openledger/openledger/p2p/peers"
)

// Kinds of answer frames, the first byte of each.
const (
	kindData  = 0
	kindError = 1
)

// Codes of an error frame, its second byte.
const (
	codeRefused  = 0
	codeBusy     = 1
	codeNotFound = 2
)

// maxErrText bounds the text of an error frame in bytes.
const maxErrText = 200

// frameCost is what a malformed frame costs its sender, in points: framing is
// wrong on its face, so it weighs as much as a wrong sync answer.
const frameCost = peers.InvalidSync

// accept runs one inbound stream. libp2p calls it in a goroutine of its own.
func (s *Service) accept(r *registered, st network.Stream) {
	if !s.enter() {
		_ = st.Reset()
		return
	}
	defer s.wg.Done()
	from := st.Conn().RemotePeer()
	if r.Session != nil {
		s.acceptSession(r, from, st)
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, r.Deadline)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = st.Reset() }) // also ends a blocked read or write
	defer stop()
	if err := s.answer(ctx, r, from, st); err != nil {
		_ = st.Reset()
		return
	}
	_ = st.Close()
}

// answer reads the request, calls the handler and writes what it sends.
func (s *Service) answer(ctx context.Context, r *registered, from peers.ID, st network.Stream) error {
	if !r.Open && s.cfg.Admit != nil {
		if err := s.cfg.Admit(ctx, from); err != nil {
			return err
		}
	}
	if !r.allow(from, time.Now()) {
		return writeError(st, ErrBusy)
	}
	if err := reserve(st, r.MaxReq); err != nil {
		return writeError(st, ErrBusy)
	}
	req, err := ReadFrame(st, r.MaxReq)
	if err != nil {
		s.punish(from, err)
		return err
	}
	total, broken := 0, error(nil)
	send := func(frame []byte) error {
		if len(frame) > r.MaxFrame || total+len(frame) > r.MaxTotal {
			broken = fmt.Errorf("own answer of %d bytes after %d: %w", len(frame), total, ErrFrame)
			return broken
		}
		total += len(frame)
		broken = writeAnswer(st, kindData, frame)
		return broken
	}
	err = r.Handler(ctx, from, req, send)
	if broken != nil {
		return broken
	}
	if err != nil {
		return writeError(st, err)
	}
	return nil
}

func (s *Service) acceptSession(r *registered, from peers.ID, st network.Stream) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = st.Reset() })
	defer stop()
	if s.cfg.Admit != nil && !r.Open {
		actx, done := context.WithTimeout(ctx, r.Deadline)
		err := s.cfg.Admit(actx, from)
		done()
		if err != nil {
			_ = st.Reset()
			return
		}
	}
	if !r.allow(from, time.Now()) || reserve(st, r.MaxFrame+readBuffer) != nil {
		_ = st.Reset()
		return
	}
	c := newConn(st, r.Protocol)
	r.Session(ctx, from, c)
	if errors.Is(c.broken, ErrFrame) {
		s.punish(from, c.broken)
	}
	_ = st.Close()
}

// reserve counts n bytes against the stream, its peer and the host until the
// stream ends, so that frames of many streams stay below the profile's memory.
func reserve(st network.Stream, n int) error {
	return st.Scope().ReserveMemory(n, network.ReservationPriorityAlways)
}

func (s *Service) punish(id peers.ID, err error) {
	if s.cfg.Punish != nil && errors.Is(err, ErrFrame) {
		s.cfg.Punish(id, -frameCost)
	}
}

// writeAnswer writes one answer frame in one call.
func writeAnswer(w io.Writer, kind byte, body []byte) error {
	buf := make([]byte, 0, HeaderSize+1+len(body))
	buf = append(buf, 0, 0, 0, 0, kind)
	n := len(body) + 1
	buf[0], buf[1], buf[2], buf[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	_, err := w.Write(append(buf, body...))
	return err
}

// writeError writes the final error frame for err.
func writeError(w io.Writer, err error) error {
	code := byte(codeRefused)
	switch {
	case errors.Is(err, ErrBusy):
		code = codeBusy
	case errors.Is(err, ErrNotFound):
		code = codeNotFound
	}
	text := err.Error()
	return writeAnswer(w, kindError, append([]byte{code}, text[:min(len(text), maxErrText)]...))
}
