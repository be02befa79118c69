// SPDX-License-Identifier: Apache-2.0

// Package p2ptest gives tests real hosts: on a simulated network with virtual
// time, or on loopback TCP.
//
// A simulated network carries QUIC packets between hosts of public addresses
// with a latency and a bandwidth. Used inside testing/synctest, minutes of
// protocol time pass in milliseconds and a run does not depend on the machine.
//
// It refuses to be used outside tests and never opens a port other than on
// 127.0.0.1. It is imported by tests alone.
//
// The main type is [Net].
//
//	p2ptest.Virtual(t, func(t *testing.T) {
//		n := p2ptest.NewNet(t)
//		a, b := n.Host(nil), n.Host(nil)
//		p2ptest.Connect(t, a, b)
//	})
//
// Spec: P2P-15, TEST-03.
package p2ptest
