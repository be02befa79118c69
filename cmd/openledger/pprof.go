// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"runtime"
	"time"
)

// Rates of the sampled profiles while a profiler may ask: one event per 10 µs of
// blocking, one of 100 contended locks.
const (
	blockProfileNS    = 10_000
	mutexProfileEvery = 100
)

// servePprof answers a profiler on an address of this machine until ctx ends.
// Profiles show what a node does and hold its memory, so no other address is
// taken.
func servePprof(ctx context.Context, addr string) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil || !at.Addr().IsLoopback() {
		return usage("--pprof-addr %q: give an address of this machine, for instance 127.0.0.1:6060", addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("open the profiler's port: %w", err)
	}
	runtime.SetBlockProfileRate(blockProfileNS)
	runtime.SetMutexProfileFraction(mutexProfileEvery)
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	go func() { _ = s.Serve(l) }() // ends with s.Close
	return nil
}
