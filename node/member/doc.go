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
// Concurrency: Run belongs to one goroutine; the other methods are safe for any.
//
// Spec: CONS-40, CONS-44.
package member
