// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkNodeStatusHTTP is one node_status over a kept connection per core.
func BenchmarkNodeStatusHTTP(b *testing.B) {
	s, _ := newServer(b, nil)
	s.Start()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := http.Post("http://"+s.Addr()+"/rpc", "application/json", strings.NewReader(status))
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkAnswer is the same call without the network.
func BenchmarkAnswer(b *testing.B) {
	s, _ := newServer(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		s.do(request("POST", "/rpc", status, nil))
	}
}

// BenchmarkEvents is one event to one WebSocket subscriber.
func BenchmarkEvents(b *testing.B) {
	s, fake := newServer(b, nil)
	fake.events.list = newFakeEvents(b.N + 8).list
	s.Start()
	p := connect(b, s, nil)
	b.ResetTimer()
	p.call(`{"id":1,"method":"chain_subscribe","params":{"from":{"height":0,"seq":0}}}`)
	for range b.N {
		if p.must().Params.Event == nil {
			b.Fatal("no event")
		}
	}
}
