// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"
)

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

// waitFor polls a condition that another goroutine makes true.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	ctx, cancel := contextWithTimeout(t, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it did not happen")
		}
	}
}

const status = `{"id":1,"method":"node_status"}`

func TestHosts(t *testing.T) {
	s, _ := newServer(t, func(c *Config, _ *fakeBackend) { c.Hosts = []string{"node.example.org"} })
	for host, ok := range map[string]bool{
		"localhost": true, "localhost:9944": true, "LOCALHOST:9944": true, "127.0.0.1:9944": true, "[::1]:9944": true, "[::1]": true,
		"192.168.1.7:9944": true, "node.example.org": true, "node.example.org:443": true,
		"evil.example.org:9944": false, "localhost.evil.org": false, "127.0.0.1.nip.io": false, "": false, "localhost.": false,
	} {
		w := s.do(request("POST", "/rpc", status, func(r *http.Request) { r.Host = host }))
		if (w.Code == http.StatusOK) != ok {
			t.Errorf("host %q: %d", host, w.Code)
		}
	}
}

func TestOrigins(t *testing.T) {
	s, b := newServer(t, func(c *Config, _ *fakeBackend) { c.CORSOrigins = []string{"https://app.example.org"} })
	for origin, ok := range map[string]bool{
		"http://localhost:9944": true, "https://app.example.org": true,
		"http://localhost:3000": false, "https://evil.example.org": false, "https://app.example.org.evil.org": false, "null": false, "%": false, "file://": false,
	} {
		b.calls = nil
		from := func(r *http.Request) { r.Header.Set("Origin", origin) }
		w := s.do(request("POST", "/rpc", status, from))
		if (w.Code == http.StatusOK) != ok || (len(b.calls) == 1) != ok {
			t.Errorf("origin %q: %d", origin, w.Code)
		}
		if got := w.Header().Get("Access-Control-Allow-Origin"); (got == origin) != ok {
			t.Errorf("origin %q: allowed origin %q", origin, got)
		}
		w = s.do(request("OPTIONS", "/rpc", "", from))
		if (w.Code == http.StatusNoContent) != ok {
			t.Errorf("preflight of origin %q: %d", origin, w.Code)
		}
	}
	if w := s.do(request("POST", "/rpc", status, nil)); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("CORS headers without an origin")
	}
}

// A name that an attacker's DNS points at 127.0.0.1 is the browser's origin and
// host at once; neither rule alone would stop it.
func TestARebuiltNameIsRefused(t *testing.T) {
	s, b := newServer(t, nil)
	w := s.do(request("POST", "/rpc", status, func(r *http.Request) {
		r.Host = "rebind.example.org:9944"
		r.Header.Set("Origin", "http://rebind.example.org:9944")
	}))
	if w.Code != http.StatusForbidden || len(b.calls) != 0 {
		t.Errorf("got %d, calls %v", w.Code, b.calls)
	}
}

func TestRateLimit(t *testing.T) {
	l, now := newLimiter(), time.Unix(1_000, 0)
	for i := range rateBurst {
		if !l.allow("a", 1, now) {
			t.Fatalf("request %d of the burst is refused", i+1)
		}
	}
	if l.allow("a", 1, now) || !l.allow("b", 1, now) || !l.allow("", 1_000, now) {
		t.Error("the burst ends for the client that used it, and for no other")
	}
	now = now.Add(time.Second)
	if !l.allow("a", ratePerSecond, now) || l.allow("a", 1, now) {
		t.Error("one second refills ratePerSecond")
	}
	if l.allow("b", rateBurst+1, now) || !l.allow("b", rateBurst, now) {
		t.Error("a refused batch takes nothing")
	}
	for i := range 2 * maxTracked {
		l.allow(clientOf((&net.TCPAddr{IP: net.IPv4(10, 0, byte(i>>8), byte(i))}).String()), 1, now)
	}
	if len(l.buckets) > maxTracked {
		t.Errorf("%d clients are remembered", len(l.buckets))
	}
}

func TestRateLimitIsPerNetworkAndPerCall(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1", "[::ffff:192.0.2.1]:5": "192.0.2.1", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::", "x": "x",
	} {
		if got := clientOf(remote); got != want {
			t.Errorf("client of %s is %s, not %s", remote, got, want)
		}
	}
	s, _ := newServer(t, nil)
	s.clock = func() time.Time { return time.Unix(1_000, 0) }
	batch := "[" + status
	for range MaxBatch - 1 {
		batch += "," + status
	}
	batch += "]"
	for range rateBurst / MaxBatch {
		if w := s.do(request("POST", "/rpc", batch, remote)); w.Code != http.StatusOK {
			t.Fatalf("got %d", w.Code)
		}
	}
	w := s.do(request("POST", "/rpc", status, remote))
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("after %d calls in batches: %d", rateBurst, w.Code)
	}
	for range 2 * rateBurst {
		if w := s.do(request("POST", "/rpc", status, nil)); w.Code != http.StatusOK {
			t.Fatalf("callers on this machine are limited: %d", w.Code)
		}
	}
}

// fakeListener hands out connections that claim an address.
type fakeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *fakeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *fakeListener) Close() error   { close(l.done); return nil }
func (l *fakeListener) Addr() net.Addr { return &net.TCPAddr{} }

type fakeConn struct {
	net.Conn
	from   string
	closed chan struct{}
}

func (c *fakeConn) Close() error         { close(c.closed); return nil }
func (c *fakeConn) RemoteAddr() net.Addr { a, _ := net.ResolveTCPAddr("tcp", c.from); return a }

func dial(from string) *fakeConn { return &fakeConn{from: from, closed: make(chan struct{})} }

func TestConnectionsAreBounded(t *testing.T) {
	inner := &fakeListener{make(chan net.Conn, 16), make(chan struct{})}
	l := newLimitListener(inner, 4, 2)
	accept := func() net.Conn {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	third, local := dial("192.0.2.1:3"), dial("127.0.0.1:9")
	inner.conns <- dial("192.0.2.1:1")
	inner.conns <- dial("192.0.2.1:2")
	first := accept()
	accept()
	inner.conns <- third
	inner.conns <- local
	if c := accept(); c.RemoteAddr().String() != local.from {
		t.Errorf("accepted %v", c.RemoteAddr())
	}
	<-third.closed // the third of one client is turned away
	first.Close()
	inner.conns <- dial("192.0.2.1:4")
	accept()
	inner.conns <- dial("127.0.0.1:10")
	accept() // the fourth open one: no more until one is closed
	waiting := make(chan error)
	go func() { _, err := l.Accept(); waiting <- err }()
	inner.conns <- dial("127.0.0.1:11")
	select {
	case <-waiting:
		t.Error("a connection above the limit was accepted")
	default:
	}
	l.Close()
	if err := <-waiting; err == nil {
		t.Error("Close did not wake Accept")
	}
}
