// SPDX-License-Identifier: Apache-2.0

package accuse

import (
	"errors"
	"slices"
	"sync"

	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/ledger/exec"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// Bounds of a Reporter.
const (
	maxOpen = 256 // pieces of evidence that wait
	again   = 64  // blocks after which one that had no effect is sent again
)

// Reporter holds the evidence that a node has found until the ledger has
// punished what it shows, and says what to submit next. It does not remember
// across restarts: what is still in the air is found again, by this node or
// another. Safe for concurrent use.
type Reporter struct {
	chainID [32]byte
	mu      sync.Mutex
	open    []*charge
}

type charge struct {
	ev  *evidence.Evidence
	due uint64 // height from which on it is to be sent
}

// NewReporter returns an empty Reporter.
func NewReporter(chainID [32]byte) *Reporter { return &Reporter{chainID: chainID} }

// Add takes evidence in, verified or not; equal pieces once. Beyond 256 waiting
// ones it is dropped. The evidence must not change.
func (r *Reporter) Add(list ...evidence.Evidence) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range list {
		raw := string(list[i].Encode())
		if len(r.open) >= maxOpen || slices.ContainsFunc(r.open, func(c *charge) bool { return string(c.ev.Encode()) == raw }) {
			continue
		}
		r.open = append(r.open, &charge{ev: &list[i]})
	}
}

// Next returns the payload of the next transaction to submit, or nil. v is the
// newest committed state, of the given height. It drops what the ledger has
// punished, what it will never accept, and what is too old; it keeps evidence of
// an epoch that v has not reached. The same piece comes again after 64 blocks
// without effect. Cost: as Court.Check for each new piece. Errors: those of the
// view.
func (r *Reporter) Next(v state.View, height uint64) (*tx.SlashEvidence, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clock, err := state.GetClock(v)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(r.open); i++ {
		c := r.open[i]
		if c.due > height || c.ev.Epoch() > clock.Epoch {
			continue
		}
		useful, err := r.useful(v, c.ev)
		if err != nil {
			return nil, err
		}
		if useful {
			c.due = height + again
			return &tx.SlashEvidence{Evidence: c.ev.Encode()}, nil
		}
		r.open = slices.Delete(r.open, i, i+1)
		i--
	}
	return nil, nil
}

// Waiting returns how many pieces wait.
func (r *Reporter) Waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// useful reports whether e convicts somebody whom v has not punished for it.
func (r *Reporter) useful(v state.View, e *evidence.Evidence) (bool, error) {
	court, err := exec.Court(v, r.chainID, e.Epoch())
	switch {
	case errors.Is(err, state.ErrUnknown):
		return false, nil // too old
	case err != nil:
		return false, err
	}
	list, err := court.Check(e)
	if err != nil {
		return false, nil
	}
	for _, o := range list {
		b, err := v.Get(exec.OffenceKey(o))
		if err != nil {
			return false, err
		}
		if b == nil {
			return true, nil
		}
	}
	return false, nil
}
