// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openledger/openledger/rpc/api"
)

// Request rate per client address; loopback is exempt (RPC-09).
const (
	ratePerSecond = 50
	rateBurst     = 200
	maxTracked    = 4_096
)

type principalKey struct{}

// principal is what a caller may do.
type principal struct{ all, loopback bool }

func (p principal) may(perm api.Perm) bool {
	return p.all || perm == api.Read || (perm == api.Submit && p.loopback)
}

func principalOf(ctx context.Context) principal {
	p, _ := ctx.Value(principalKey{}).(principal)
	return p
}

// guard applies Host, Origin and rate rules and finds out who calls.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		loop := isLoopback(r.RemoteAddr)
		if !s.hostAllowed(r.Host) {
			http.Error(w, "host not allowed: use localhost, or name the host in the configuration", http.StatusForbidden)
			return
		}
		if o := r.Header.Get("Origin"); o != "" {
			if !s.originAllowed(o, r.Host) {
				http.Error(w, "origin not allowed: see rpc.cors_origins", http.StatusForbidden)
				return
			}
			w.Header().Set("Access-Control-Allow-Origin", o)
			w.Header().Set("Vary", "Origin")
		}
		if !loop && !s.limits.allow(r.RemoteAddr, time.Now()) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		p := principal{loopback: loop, all: s.tokenMatches(r.Header.Get("Authorization"))}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, p)))
	})
}

// tokenMatches compares in constant time (SEC-03).
func (s *Server) tokenMatches(header string) bool {
	given, ok := strings.CutPrefix(header, "Bearer ")
	if !ok || s.cfg.Token == "" {
		return false
	}
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.cfg.Token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// hostAllowed refuses names that DNS rebinding could point at us.
func (s *Server) hostAllowed(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return name == "localhost" || ip != nil || slices.Contains(s.cfg.Hosts, name)
}

func (s *Server) originAllowed(origin, host string) bool {
	u, err := url.Parse(origin)
	return slices.Contains(s.cfg.CORSOrigins, origin) || (err == nil && u.Host == host)
}

func isLoopback(remote string) bool {
	h, _, err := net.SplitHostPort(remote)
	ip := net.ParseIP(h)
	return err == nil && ip != nil && ip.IsLoopback()
}

// limiter is a token bucket per client address, bounded in memory.
type limiter struct {
	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newLimiter() *limiter { return &limiter{buckets: map[string]*bucket{}} }

func (l *limiter) allow(remote string, now time.Time) bool {
	h, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[h]
	if b == nil {
		if len(l.buckets) >= maxTracked {
			clear(l.buckets)
		}
		b = &bucket{tokens: rateBurst, at: now}
		l.buckets[h] = b
	}
	refill := now.Sub(b.at).Seconds() * ratePerSecond
	b.tokens, b.at = min(rateBurst, b.tokens+refill), now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
