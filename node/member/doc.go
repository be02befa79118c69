// SPDX-License-Identifier: Apache-2.0

// Package member moves a chain from one validator epoch to the next: with a driver
// of its own in each epoch whose set has the node's vote key, by following in the
// others. It knows no network: frames come in by Deliver, and go out by the
// driver's Network.
//
//	m, err := member.New(member.Config{Key: key, Chain: chain, Syncer: syncer, Driver: base, OpenLog: open})
//	go m.Run(ctx)
//	err = m.Deliver(frame)
//
// A key whose log cannot be trusted observes: it follows until others have shown how
// far they are, and signs nothing of earlier views. At every start, what is signed
// is held back until others have shown no word of the key that its log lacks.
//
// Concurrency: Run belongs to one goroutine; the other methods are safe for any.
//
// Spec: CONS-40, CONS-44, CONS-45.
package member
