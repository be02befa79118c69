// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multistream"

	"github.com/openledger/openledger/p2p/peers"
)

// Request asks the peer and returns its single answer frame. It opens a stream
// on an existing connection, or dials if the peer's address is known. Errors:
// ErrProtocol, ErrBusy, ErrNotFound, ErrRefused, ErrFrame (more or less than
// one frame, or too long), ErrClosed, the context's error at the deadline.
func (s *Service) Request(ctx context.Context, id peers.ID, name string, req []byte) ([]byte, error) {
	var out []byte
	n := 0
	err := s.RequestFrames(ctx, id, name, req, func(frame []byte) error {
		out, n = frame, n+1
		if n > 1 {
			return fmt.Errorf("more than one answer frame: %w", ErrFrame)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("no answer frame: %w", ErrFrame)
	}
	return out, nil
}

// RequestFrames asks the peer and calls each for every answer frame, in order,
// until the answer ends; it then returns nil. A frame belongs to each. An error
// of each ends the exchange and is returned. Errors: as Request.
func (s *Service) RequestFrames(ctx context.Context, id peers.ID, name string, req []byte, each func(frame []byte) error) error {
	r, err := s.proto(name)
	if err != nil {
		return err
	}
	if len(req) > r.MaxReq {
		return fmt.Errorf("request of %d bytes, at most %d: %w", len(req), r.MaxReq, ErrFrame)
	}
	if !s.enter() {
		return ErrClosed
	}
	defer s.wg.Done()
	ctx, cancel := context.WithTimeout(ctx, r.Deadline)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	if err := s.exchange(ctx, r, id, req, each); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if errors.Is(err, ErrFrame) {
			s.punish(id, err)
		}
		return fmt.Errorf("%s to %s: %w", name, id, err)
	}
	return nil
}

func (s *Service) exchange(ctx context.Context, r *registered, id peers.ID, req []byte, each func([]byte) error) error {
	st, err := s.open(ctx, id, r.Name)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = st.Reset() })()
	if err := reserve(st, r.MaxFrame); err != nil {
		_ = st.Reset()
		return err
	}
	if err := sendRequest(st, req); err != nil {
		_ = st.Reset()
		return named(err)
	}
	if err := readAnswer(bufio.NewReader(st), r.MaxFrame, r.MaxTotal, each); err != nil {
		_ = st.Reset()
		return named(err)
	}
	return st.Close()
}

func sendRequest(st network.Stream, req []byte) error {
	if _, err := st.Write(AppendFrame(make([]byte, 0, HeaderSize+len(req)), req)); err != nil {
		return err
	}
	return st.CloseWrite()
}

// readAnswer decodes answer frames until the reader ends.
func readAnswer(r io.Reader, maxFrame, maxTotal int, each func([]byte) error) error {
	total := 0
	for {
		raw, err := ReadFrame(r, maxFrame+1)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(raw) == 0 || raw[0] > kindError {
			return fmt.Errorf("answer frame of unknown kind: %w", ErrFrame)
		}
		if raw[0] == kindError {
			return remoteError(raw[1:])
		}
		if total += len(raw) - 1; total > maxTotal {
			return fmt.Errorf("answer above %d bytes: %w", maxTotal, ErrFrame)
		}
		if err := each(raw[1:]); err != nil {
			return err
		}
	}
}

// remoteError turns the body of an error frame into an error.
func remoteError(b []byte) error {
	if len(b) == 0 || len(b) > 1+maxErrText {
		return fmt.Errorf("error frame of %d bytes: %w", len(b), ErrFrame)
	}
	text := strings.ToValidUTF8(string(b[1:]), "?")
	switch b[0] {
	case codeBusy:
		return ErrBusy
	case codeNotFound:
		return ErrNotFound
	}
	return fmt.Errorf("%w: %q", ErrRefused, text)
}

// open opens a stream of the named protocol.
func (s *Service) open(ctx context.Context, id peers.ID, name string) (network.Stream, error) {
	st, err := s.cfg.Host.NewStream(ctx, id, s.id(name))
	if err != nil {
		return nil, named(err)
	}
	return st, nil
}

// named maps multistream's refusal to ErrProtocol.
func named(err error) error {
	var no multistream.ErrNotSupported[string]
	if errors.As(err, &no) || strings.Contains(err.Error(), "protocols not supported") {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return err
}
