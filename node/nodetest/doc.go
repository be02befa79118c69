// SPDX-License-Identifier: Apache-2.0

// Package nodetest is a ledger in memory for tests of what nodes do beside the
// chain: every transaction makes a block of its own through the real execution,
// under a clock that only the test moves. It has no network, no consensus and no
// disk, and is no part of the program.
//
//	l := nodetest.New(t)
//	s := l.Services(l.Operator)            // worker.Services
//	err := s.Send(ctx, &tx.OfferPost{…})
//	l.Clock.Advance(10_000)
package nodetest
