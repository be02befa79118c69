// SPDX-License-Identifier: Apache-2.0

package fetch_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/openledger/openledger/p2p"
	"github.com/openledger/openledger/p2p/fetch"
	"github.com/openledger/openledger/p2p/p2ptest"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
)

// BenchmarkFetch brings 32 MiB from one peer over loopback TCP: verified and on
// disk, and as a bare stream of 64 KiB frames for comparison (P2P-14).
func BenchmarkFetch(b *testing.B) {
	const size = 32 << 20
	data := pattern(size)
	raw := stream.Protocol{Name: "raw/1", MaxFrame: 128 << 10, Deadline: time.Minute, Rate: 1e6, Burst: 1e6,
		Session: func(_ context.Context, _ peers.ID, c *stream.Conn) {
			if _, err := c.ReadFrame(); err == nil {
				for i := 0; i < size; i += 64 << 10 {
					_ = c.WriteFrame(data[i : i+64<<10])
				}
			}
		}}
	var a, x node
	for i, n := range []*node{&a, &x} {
		st, err := fetch.OpenStore(b.TempDir(), 0)
		if err != nil {
			b.Fatal(err)
		}
		n.store = st
		n.Host = p2ptest.Loopback(b, i+1, func(c *p2p.Config) { c.Listen = c.Listen[:1] }, func(h *p2p.Host) {
			if n.f, err = fetch.New(fetch.Config{Streams: h.Streams(), Store: st, Book: h.Book(), Rate: 1e12, Burst: 1e12}); err != nil {
				b.Fatal(err)
			}
			if err = h.Streams().Register(raw); err != nil {
				b.Fatal(err)
			}
		})
	}
	p2ptest.Connect(b, x.Host, a.Host)
	id, _, err := a.store.Put(bytes.NewReader(data))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("verified", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			if err := x.f.Fetch(b.Context(), id, size, []peers.ID{a.ID()}, nil); err != nil {
				b.Fatal(err)
			}
			if err := x.store.Remove(id); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			c, err := x.Streams().Open(b.Context(), a.ID(), "raw/1")
			if err == nil {
				err = c.WriteFrame([]byte("go"))
			}
			for got := 0; err == nil && got < size; {
				var f []byte
				f, err = c.ReadFrame()
				got += len(f)
			}
			if err != nil {
				b.Fatal(err)
			}
			_ = c.Close()
		}
	})
}
