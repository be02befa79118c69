// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
)

// Core is the Simplex state machine of one validator, or of an observer, in one
// epoch. It does no I/O and belongs to one goroutine.
type Core struct{ cfg Config }

// New returns a core at its root. The first input must be Restored. Errors:
// those of a Config that contradicts itself.
func New(cfg Config) (*Core, error) { return &Core{cfg: cfg}, nil }

// Step advances the core by one input.
func (c *Core) Step(in Input) Output { return Output{} }

// Want reports whether m may still matter, before its signatures are checked:
// false for what is stale, too far ahead, or already known (CONS-13). Call it
// where Step is called.
func (c *Core) Want(m *msg.Message) bool { return true }

// View returns the current view.
func (c *Core) View() uint64 { return 0 }

// Root returns the last final block that was decided or synced.
func (c *Core) Root() (header.Hash, *header.Header) { return header.Hash{}, nil }

// Proposal returns the proposal of a block, with leaves, for a peer that asks
// for it by hash; nil if it is not held. Undecided and the last 64 decided
// blocks are.
func (c *Core) Proposal(block header.Hash) []byte { return nil }

// Certificates returns, for a peer that asks, the encoded certificates of the
// views from to to, as far as held, and the newest Finalization, at most limit
// bytes together.
func (c *Core) Certificates(from, to uint64, limit int) [][]byte { return nil }
