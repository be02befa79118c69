// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/openledger/openledger/p2p"
	"github.com/openledger/openledger/p2p/p2ptest"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
)

// proto is a protocol with small bounds and the given handler.
func proto(h stream.Handler) stream.Protocol {
	return stream.Protocol{Name: "test/1", MaxFrame: 1 << 10, MaxTotal: 4 << 10, Deadline: 5 * time.Second,
		Rate: 1, Burst: 4, Handler: h}
}

// pair starts a client that only asks and a server that answers with h.
func pair(t *testing.T, h stream.Handler) (client, server *p2p.Host) {
	t.Helper()
	n := p2ptest.NewNet(t)
	reg := func(p stream.Protocol) func(*p2p.Host) {
		return func(host *p2p.Host) {
			if err := host.Streams().Register(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	client, server = n.Host(nil, reg(proto(nil))), n.Host(nil, reg(proto(h)))
	p2ptest.Connect(t, client, server)
	return client, server
}

func TestAnswers(t *testing.T) {
	echo := stream.Unary(func(_ context.Context, _ peers.ID, req []byte) ([]byte, error) { return req, nil })
	fail := func(err error) stream.Handler {
		return stream.Unary(func(context.Context, peers.ID, []byte) ([]byte, error) { return nil, err })
	}
	send := func(sizes ...int) stream.Handler {
		return func(_ context.Context, _ peers.ID, _ []byte, send func([]byte) error) error {
			for _, n := range sizes {
				if err := send(bytes.Repeat([]byte{7}, n)); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, c := range []struct {
		name    string
		handler stream.Handler
		req     []byte
		want    int // bytes of the whole answer
		err     error
	}{
		{"an echo comes back", echo, []byte("hello"), 5, nil},
		{"an empty request is a request", echo, nil, 0, nil},
		{"a request at the bound passes", echo, make([]byte, 1<<10), 1 << 10, nil},
		{"several frames arrive in order", send(1000, 1000, 1000), nil, 3000, nil},
		{"what the peer lacks is named", fail(fmt.Errorf("height 9: %w", stream.ErrNotFound)), nil, 0, stream.ErrNotFound},
		{"a busy handler is named", fail(stream.ErrBusy), nil, 0, stream.ErrBusy},
		{"another error travels as text", fail(errors.New("no such voucher")), nil, 0, stream.ErrRefused},
		{"an own frame above the bound ends the stream", send(1<<10 + 1), nil, 0, io.ErrUnexpectedEOF},
		{"an own answer above the total ends the stream", send(1000, 1000, 1000, 1000, 1000), nil, 4000, io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			p2ptest.Virtual(t, func(t *testing.T) {
				client, server := pair(t, c.handler)
				got := 0
				err := client.Streams().RequestFrames(t.Context(), server.ID(), "test/1", c.req, func(b []byte) error {
					got += len(b)
					return nil
				})
				if c.err == io.ErrUnexpectedEOF { // any broken stream will do
					if err == nil {
						t.Fatal("a cut answer was taken as whole")
					}
					return
				}
				if !errors.Is(err, c.err) || got != c.want {
					t.Errorf("got %d bytes, %v; want %d, %v", got, err, c.want, c.err)
				}
				if c.err == stream.ErrRefused && !strings.Contains(err.Error(), "no such voucher") {
					t.Errorf("the reason did not travel: %v", err)
				}
			})
		})
	}
}

func TestRefusalsBeforeSending(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		client, server := pair(t, nil)
		_, err := client.Streams().Request(t.Context(), server.ID(), "test/1", make([]byte, 1<<10+1))
		if !errors.Is(err, stream.ErrFrame) {
			t.Errorf("oversized request: %v", err)
		}
		if _, err = client.Streams().Request(t.Context(), server.ID(), "none/1", nil); !errors.Is(err, stream.ErrProtocol) {
			t.Errorf("unregistered protocol: %v", err)
		}
		if _, err = client.Streams().Request(t.Context(), server.ID(), "test/1", nil); !errors.Is(err, stream.ErrProtocol) {
			t.Errorf("protocol the peer does not serve: %v", err)
		}
		if server.Book().Score(client.ID()) != 0 {
			t.Error("refused requests cost points")
		}
	})
}

func TestRateLimitIsPerPeerAndRefills(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		client, server := pair(t, stream.Unary(func(context.Context, peers.ID, []byte) ([]byte, error) { return nil, nil }))
		ask := func() error {
			_, err := client.Streams().Request(t.Context(), server.ID(), "test/1", nil)
			return err
		}
		for i := range 4 {
			if err := ask(); err != nil {
				t.Fatalf("request %d of the burst: %v", i, err)
			}
		}
		var err error
		for range 8 { // each round trip takes 50 ms or more of the refill
			if err = ask(); err != nil {
				break
			}
		}
		if !errors.Is(err, stream.ErrBusy) {
			t.Fatalf("above the rate: %v", err)
		}
		wait(t, 2*time.Second)
		if err := ask(); err != nil {
			t.Fatalf("after the refill: %v", err)
		}
	})
}

// wait lets virtual time pass.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

func TestSlowHandlerEndsAtTheDeadline(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		client, server := pair(t, func(ctx context.Context, _ peers.ID, _ []byte, _ func([]byte) error) error {
			<-ctx.Done()
			return ctx.Err()
		})
		start := time.Now()
		if _, err := client.Streams().Request(t.Context(), server.ID(), "test/1", nil); err == nil {
			t.Fatal("an answer without an answer")
		}
		if d := time.Since(start); d > 6*time.Second {
			t.Fatalf("ended after %s, deadline 5 s", d)
		}
	})
}

// A peer that opens a stream and then stays silent, or sends half a frame, is
// cut off at the deadline; one that announces too much pays points.
func TestBrokenAskers(t *testing.T) {
	for _, c := range []struct {
		name   string
		bytes  []byte
		points float64
	}{
		{"silence costs nothing but ends", nil, 0},
		{"half a frame ends at the deadline", []byte{0, 0, 0, 9, 1, 2}, 0},
		{"an oversized frame costs points", []byte{0, 1, 0, 0}, -peers.InvalidSync},
	} {
		t.Run(c.name, func(t *testing.T) {
			p2ptest.Virtual(t, func(t *testing.T) {
				n := p2ptest.NewNet(t)
				called := make(chan struct{}, 1)
				p := proto(stream.Unary(func(context.Context, peers.ID, []byte) ([]byte, error) {
					called <- struct{}{}
					return nil, nil
				}))
				// The asker uses a session to write raw bytes.
				raw := p
				raw.Handler = nil
				raw.Deadline = time.Minute
				a := n.Host(nil, func(h *p2p.Host) { _ = h.Streams().Register(raw) })
				b := n.Host(nil, func(h *p2p.Host) { _ = h.Streams().Register(p) })
				p2ptest.Connect(t, a, b)
				conn, err := a.Streams().Open(t.Context(), b.ID(), "test/1")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				start := time.Now()
				if err := conn.Write(c.bytes); err != nil {
					t.Fatal(err)
				}
				if _, err := conn.ReadFrame(); err == nil {
					t.Fatal("a broken request was answered")
				}
				if d := time.Since(start); d > 6*time.Second {
					t.Fatalf("held the stream for %s", d)
				}
				if got := b.Book().Score(a.ID()); got < c.points-1 || got > c.points+1 {
					t.Errorf("score %v, want %v", got, c.points)
				}
				select {
				case <-called:
					t.Error("the handler saw a broken request")
				default:
				}
			})
		})
	}
}

func TestSessionEchoesBothWays(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		p := stream.Protocol{Name: "talk/1", MaxFrame: 64 << 10, Deadline: time.Minute, Rate: 1, Burst: 4}
		srv := p
		ended := make(chan error, 1)
		srv.Session = func(_ context.Context, _ peers.ID, c *stream.Conn) {
			for {
				f, err := c.ReadFrame()
				if err == nil {
					err = c.WriteFrame(f)
				}
				if err != nil {
					ended <- err
					return
				}
			}
		}
		n := p2ptest.NewNet(t)
		a := n.Host(nil, func(h *p2p.Host) { _ = h.Streams().Register(p) })
		b := n.Host(nil, func(h *p2p.Host) { _ = h.Streams().Register(srv) })
		p2ptest.Connect(t, a, b)
		c, err := a.Streams().Open(t.Context(), b.ID(), "talk/1")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			want := bytes.Repeat([]byte{byte(i)}, i*100)
			if err := c.WriteFrame(want); err != nil {
				t.Fatal(err)
			}
			got, err := c.ReadFrame()
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("frame %d: %d bytes, %v", i, len(got), err)
			}
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if err := p2ptest.Wait(t, ended, "end of session"); !errors.Is(err, io.EOF) {
			t.Errorf("a closed session ended with %v", err)
		}
		_ = c.Close()
	})
}

func TestIdleSessionEndsAtItsDeadline(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		ended := make(chan time.Duration, 1)
		p := stream.Protocol{Name: "talk/1", MaxFrame: 64, Deadline: 30 * time.Second, Rate: 1, Burst: 4}
		srv := p
		srv.Session = func(_ context.Context, _ peers.ID, c *stream.Conn) {
			start := time.Now()
			for {
				if _, err := c.ReadFrame(); err != nil {
					ended <- time.Since(start)
					return
				}
			}
		}
		n := p2ptest.NewNet(t)
		a := n.Host(nil, func(h *p2p.Host) { _ = h.Streams().Register(p) })
		b := n.Host(nil, func(h *p2p.Host) { _ = h.Streams().Register(srv) })
		p2ptest.Connect(t, a, b)
		c, err := a.Streams().Open(t.Context(), b.ID(), "talk/1")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 2 {
			if err := c.WriteFrame([]byte("x")); err != nil {
				t.Fatal(err)
			}
			wait(t, 20*time.Second)
		}
		wait(t, 20*time.Second)
		if d := p2ptest.Wait(t, ended, "end of session"); d < 45*time.Second || d > 51*time.Second {
			t.Fatalf("ended after %s, want 30 s after the last frame at 20 s", d)
		}
	})
}

func TestRegisterRefuses(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		good := proto(nil)
		svc := p2ptest.NewNet(t).Host(nil).Streams()
		if err := svc.Register(good); err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]func(*stream.Protocol){
			"a name twice":      func(*stream.Protocol) {},
			"no name":           func(p *stream.Protocol) { p.Name = "" },
			"no frame bound":    func(p *stream.Protocol) { p.Name, p.MaxFrame = "x/1", 0 },
			"too large a bound": func(p *stream.Protocol) { p.Name, p.MaxFrame = "x/1", stream.MaxFrame+1 },
			"no deadline":       func(p *stream.Protocol) { p.Name, p.Deadline = "x/1", 0 },
			"no rate":           func(p *stream.Protocol) { p.Name, p.Rate = "x/1", 0 },
			"handler and session": func(p *stream.Protocol) {
				p.Name, p.Handler, p.Session = "x/1", stream.Unary(nil), func(context.Context, peers.ID, *stream.Conn) {}
			},
		} {
			p := good
			f(&p)
			if err := svc.Register(p); !errors.Is(err, stream.ErrProtocol) {
				t.Errorf("%s: %v", name, err)
			}
		}
		svc.Close()
		if err := svc.Register(proto(nil)); !errors.Is(err, stream.ErrClosed) {
			t.Errorf("after close: %v", err)
		}
	})
}
