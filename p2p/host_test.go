// SPDX-License-Identifier: Apache-2.0

package p2p_test

import (
	"testing"

	"github.com/openledger/openledger/p2p/p2ptest"
)

func TestTwoHostsMeetOnASimulatedNetwork(t *testing.T) {
	p2ptest.Virtual(t, func(t *testing.T) {
		n := p2ptest.NewNet(t)
		a, b := n.Host(nil), n.Host(nil)
		p2ptest.Connect(t, a, b)
	})
}
func TestTwoHostsMeetOnLoopback(t *testing.T) {
	a, b := p2ptest.Loopback(t, 1, nil), p2ptest.Loopback(t, 2, nil)
	p2ptest.Connect(t, a, b)
}
