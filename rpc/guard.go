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
	"time"

	"github.com/openledger/openledger/rpc/api"
)

type principalKey struct{}

// principal is what a caller may do.
type principal struct {
	all    bool   // holds the token
	local  bool   // calls from this machine, not through a proxy
	client string // whose rate limit counts; empty for local callers
}

func (p principal) may(perm api.Perm) bool {
	return p.all || perm == api.Read || (perm == api.Submit && p.local)
}

func principalOf(ctx context.Context) principal {
	p, _ := ctx.Value(principalKey{}).(principal)
	return p
}

// guard applies Host, Origin and rate rules and finds out who calls (RPC-08).
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.begin() {
			http.Error(w, "the node stops", http.StatusServiceUnavailable)
			return
		}
		defer s.running.Done()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(transferWait))
		if !s.hostAllowed(r.Host) {
			http.Error(w, "host not allowed: use localhost or an IP address, or see rpc.hosts", http.StatusForbidden)
			return
		}
		if o := r.Header.Get("Origin"); o != "" {
			if !s.originAllowed(o, r.Host) {
				http.Error(w, "origin not allowed: see rpc.cors_origins", http.StatusForbidden)
				return
			}
			allowOrigin(w.Header(), o)
			if r.Method == http.MethodOptions {
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		p := principal{local: isLocal(r), all: s.tokenMatches(r.Header.Get("Authorization"))}
		if !p.local {
			p.client = clientOf(r.RemoteAddr)
		}
		if !s.limits.allow(p.client, 1, s.clock()) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, p)))
	})
}

func allowOrigin(h http.Header, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", "GET, POST")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID")
	h.Set("Access-Control-Max-Age", "600")
	h.Set("Vary", "Origin")
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

// hostAllowed refuses names that DNS rebinding could point at us. An address is
// no name, so it cannot be rebound.
func (s *Server) hostAllowed(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(name)
	return name == "localhost" || net.ParseIP(strings.Trim(name, "[]")) != nil || slices.Contains(s.cfg.Hosts, name)
}

func (s *Server) originAllowed(origin, host string) bool {
	u, err := url.Parse(origin)
	return slices.Contains(s.cfg.CORSOrigins, origin) || (err == nil && host != "" && u.Host == host)
}

// isLocal reports a caller on this machine. What a proxy forwards comes from
// elsewhere.
func isLocal(r *http.Request) bool {
	h, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(h)
	return err == nil && ip != nil && ip.IsLoopback() && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""
}
