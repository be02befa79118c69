// SPDX-License-Identifier: Apache-2.0

// Package cards keeps the cards that a node's owner offers: it opens them in worker
// processes, lends each to one task at a time within the owner's limits, and starts
// lost ones again. A driver or card that fails never stops the node.
//
// It computes nothing and knows no ledger. Without cards every Take answers nil, and
// the processor works.
//
// The main types are Cards and Lease:
//
//	c := cards.New(cards.Config{Settings: settings.GPU, Host: cards.Machine{Exe: exe}, Clock: clock, Log: log})
//	go c.Run(ctx) // returns when ctx has ended and all workers are gone
//	if l := c.Take(task); l != nil {
//		err := compute(l.Device(), l.Rest)
//		l.Done(err)
//	}
//
// Spec: GPU-07, GPU-08, GPU-10.
package cards
