// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"context"
	"testing"
	"time"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/p2p"
	"github.com/openledger/openledger/p2p/mesh"
	"github.com/openledger/openledger/p2p/p2ptest"
)

// BenchmarkVote sends one small frame to one validator and waits for its echo,
// over loopback TCP and over QUIC: the cost of a message delay.
func BenchmarkVote(b *testing.B) {
	for name, transport := range map[string]int{"tcp": 0, "quic": 1} {
		b.Run(name, func(b *testing.B) {
			back := make(chan []byte, 1)
			var echo *p2p.Host
			conf := func(i int, on func(keys.PublicKey, []byte)) func(*p2p.Config) {
				return func(c *p2p.Config) {
					c.Listen = c.Listen[transport : transport+1]
					c.VerifyBinding, c.OnFrame = verify, on
					c.Status = func() p2p.Status { return p2p.Status{Binding: bind(i)} }
				}
			}
			a := p2ptest.Loopback(b, 1, conf(0, func(_ keys.PublicKey, f []byte) { back <- f }))
			echo = p2ptest.Loopback(b, 2, conf(1, func(_ keys.PublicKey, f []byte) { _ = echo.Mesh().Send(voter(0), mesh.Frame{Data: f}) }))
			a.SetMembers(voter(0), members(2))
			echo.SetMembers(voter(1), members(2))
			p2ptest.Connect(b, a, echo)
			for len(a.Mesh().Connected()) == 0 || len(echo.Mesh().Connected()) == 0 {
				ctx, cancel := context.WithTimeout(b.Context(), time.Millisecond)
				<-ctx.Done()
				cancel()
			}
			vote := make([]byte, 200)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := a.Mesh().Send(voter(1), mesh.Frame{Data: vote, View: uint64(i)}); err != nil {
					b.Fatal(err)
				}
				<-back
			}
		})
	}
}
