// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"net"
	"sync"
	"time"
)

// Requests per client address; callers on this machine are exempt (RPC-09).
const (
	ratePerSecond = 50
	rateBurst     = 200
	maxTracked    = 4_096
)

// limiter is a token bucket per client, bounded in memory.
type limiter struct {
	mu      sync.Mutex
	buckets map[string]*bucket
	swept   time.Time
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newLimiter() *limiter { return &limiter{buckets: map[string]*bucket{}} }

// allow takes n tokens of a client's bucket, or none if there are fewer. The
// empty client is exempt.
func (l *limiter) allow(client string, n int, now time.Time) bool {
	if client == "" {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[client]
	if b == nil {
		l.makeRoom(now)
		b = &bucket{tokens: rateBurst, at: now}
		l.buckets[client] = b
	}
	b.tokens = b.level(now)
	b.at = now
	if b.tokens < float64(n) {
		return false
	}
	b.tokens -= float64(n)
	return true
}

func (b *bucket) level(now time.Time) float64 {
	return min(rateBurst, b.tokens+float64(now.Sub(b.at).Seconds()*ratePerSecond))
}

// makeRoom drops full buckets, which say nothing, once a second, and else an
// arbitrary one.
func (l *limiter) makeRoom(now time.Time) {
	if len(l.buckets) >= maxTracked && now.Sub(l.swept) >= time.Second {
		l.swept = now
		for c, b := range l.buckets {
			if b.level(now) >= rateBurst {
				delete(l.buckets, c)
			}
		}
	}
	for c := range l.buckets {
		if len(l.buckets) < maxTracked {
			return
		}
		delete(l.buckets, c)
	}
}

// clientOf names the network that an address belongs to: the IPv4 address, or
// the first 64 bits of an IPv6 address.
func clientOf(remote string) string {
	h, _, err := net.SplitHostPort(remote)
	ip := net.ParseIP(h)
	switch {
	case err != nil || ip == nil:
		return remote
	case ip.To4() != nil:
		return ip.To4().String()
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}

// limitListener bounds open connections: beyond total, new ones wait; beyond
// perClient of one remote client, they are closed.
type limitListener struct {
	net.Listener
	perClient int
	free      chan struct{} // holds one value per open connection
	quit      chan struct{}

	mu   sync.Mutex
	open map[string]int
}

func newLimitListener(l net.Listener, total, perClient int) *limitListener {
	return &limitListener{Listener: l, perClient: perClient, free: make(chan struct{}, total), quit: make(chan struct{}), open: map[string]int{}}
}

// Accept implements net.Listener.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		select {
		case l.free <- struct{}{}:
		case <-l.quit:
			return nil, net.ErrClosed
		}
		c, err := l.Listener.Accept()
		if err != nil {
			<-l.free
			return nil, err
		}
		client := clientOf(c.RemoteAddr().String())
		if ip := net.ParseIP(client); ip != nil && ip.IsLoopback() {
			client = ""
		}
		if l.enter(client) {
			return &limitConn{Conn: c, release: sync.OnceFunc(func() { l.leave(client) })}, nil
		}
		c.Close()
		<-l.free
	}
}

// Close implements net.Listener.
func (l *limitListener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.quit:
	default:
		close(l.quit)
	}
	return l.Listener.Close()
}

func (l *limitListener) enter(client string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if client == "" {
		return true
	}
	if l.open[client] >= l.perClient {
		return false
	}
	l.open[client]++
	return true
}

func (l *limitListener) leave(client string) {
	l.mu.Lock()
	if l.open[client]--; l.open[client] <= 0 {
		delete(l.open, client)
	}
	l.mu.Unlock()
	<-l.free
}

type limitConn struct {
	net.Conn
	release func()
}

// Close implements net.Conn.
func (c *limitConn) Close() error { defer c.release(); return c.Conn.Close() }
