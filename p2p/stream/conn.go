// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bufio"
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/openledger/openledger/p2p/peers"
)

// readBuffer is the size of a session's read buffer in bytes.
const readBuffer = 64 << 10

// Conn is a session: a stream on which both sides send frames until one closes.
// One goroutine may read while another writes.
type Conn struct {
	st       network.Stream
	rd       *bufio.Reader
	limit    int
	idle     time.Duration
	deadline time.Time // read deadline last set
	broken   error
	stop     []func() bool // context hooks to release on Close
}

func newConn(st network.Stream, p Protocol) *Conn {
	return &Conn{st: st, rd: bufio.NewReaderSize(st, readBuffer), limit: p.MaxFrame, idle: p.Deadline}
}

// Open starts a session of the named protocol with the peer. The stream ends
// with ctx, with Close, or when the service closes. Errors: ErrProtocol,
// ErrClosed, the dial's error.
func (s *Service) Open(ctx context.Context, id peers.ID, name string) (*Conn, error) {
	r, err := s.proto(name)
	if err != nil {
		return nil, err
	}
	st, err := s.open(ctx, id, name)
	if err != nil {
		return nil, err
	}
	c := newConn(st, r.Protocol)
	reset := func() { _ = st.Reset() }
	c.stop = []func() bool{context.AfterFunc(ctx, reset), context.AfterFunc(s.ctx, reset)}
	return c, nil
}

// ReadFrame returns the next frame, fresh memory of the caller. Errors: ErrFrame,
// io.EOF at the end, a timeout when nothing came for the protocol's deadline.
func (c *Conn) ReadFrame() ([]byte, error) {
	// Setting a deadline costs more than a small frame, so it is moved only
	// when an eighth of it has passed.
	if now := time.Now(); c.deadline.Sub(now) < c.idle-c.idle/8 {
		c.deadline = now.Add(c.idle)
		if err := c.st.SetReadDeadline(c.deadline); err != nil {
			return nil, err
		}
	}
	b, err := ReadFrame(c.rd, c.limit)
	if errors.Is(err, ErrFrame) {
		c.broken = err
	}
	return b, err
}

// Write writes bytes that hold whole frames, made by AppendFrame, in one call.
func (c *Conn) Write(frames []byte) error {
	if err := c.st.SetWriteDeadline(time.Now().Add(c.idle)); err != nil {
		return err
	}
	_, err := c.st.Write(frames)
	return err
}

// WriteFrame writes one frame.
func (c *Conn) WriteFrame(body []byte) error {
	return c.Write(AppendFrame(make([]byte, 0, HeaderSize+len(body)), body))
}

// Close ends the session in both directions; frames in flight may be lost.
func (c *Conn) Close() error {
	for _, f := range c.stop {
		f()
	}
	return c.st.Reset()
}

// CloseWrite tells the peer that no more frames follow.
func (c *Conn) CloseWrite() error { return c.st.CloseWrite() }
