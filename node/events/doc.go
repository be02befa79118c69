// SPDX-License-Identifier: Apache-2.0

// Package events reads the ledger's events in order and wakes who waits for
// more. Events are those of the committed receipts, so a reader can start at any
// height and never misses or repeats one; nobody can stall a commit (NODE-10).
package events
