// SPDX-License-Identifier: Apache-2.0

package member

import (
	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/votelog"
)

// guarded is what a log with a double-sign guard can do beside a plain one.
// votelog.Log is such a log.
type guarded interface {
	// Bound is the highest view of an epoch of which nothing is to be signed.
	Bound(epoch uint64) uint64
	// Nullify is the first of them of which Nullify alone may be signed, 0 for none.
	Nullify(epoch uint64) uint64
	// Gone is the highest view of an epoch of which the log let go of words.
	Gone(epoch uint64) uint64
	// Permit keeps the operator's word: that view of the epoch, durably.
	Permit(epoch, from uint64) error
	// Close is called when the log cannot be trusted, before Restart.
	Close() error
}

// bounds returns up to which view of the core's epoch nothing is signed, 0 for none,
// and from which on Nullify alone is after all. A root below what the log has let go
// of shows that the ledger was lost or put back: then the log says nothing of the
// views in between (CONS-45).
func bounds(g guarded, core *consensus.Config) (bound, free uint64) {
	epoch, root := core.Set.Epoch(), core.Root.Header.View
	if core.Root.Header.Epoch != epoch {
		root = 0
	}
	if gone := g.Gone(epoch); gone > root {
		return max(gone, g.Bound(epoch)), 0
	}
	return g.Bound(epoch), g.Nullify(epoch)
}

// OpenLog is a Config.OpenLog for a guarded log that lies where lc says.
func OpenLog(lc votelog.Config) func(*driver.Config) (driver.Log, error) {
	return func(cfg *driver.Config) (driver.Log, error) {
		l, c, err := votelog.Open(lc)
		if err != nil {
			return nil, err
		}
		cfg.Records, cfg.Batches = c.Records, c.Batches
		return l, nil
	}
}

// records is what the log held when it was opened, for the drivers of the epochs to
// come: a database that was lost or put back lies epochs behind its log.
type records struct {
	list    []consensus.Record
	batches [][]byte
}

// give puts the records of an epoch into a driver's configuration, and forgets those
// of earlier ones.
func (r *records) give(cfg *driver.Config, epoch uint64) {
	cfg.Records, cfg.Batches = nil, nil
	var later []consensus.Record
	for _, x := range r.list {
		switch {
		case x.Epoch == epoch:
			cfg.Records = append(cfg.Records, x)
		case x.Epoch > epoch:
			later = append(later, x)
		}
	}
	if len(cfg.Records) > 0 {
		cfg.Batches = append(cfg.Batches, r.batches...)
	}
	if r.list = later; len(later) == 0 {
		r.batches = nil
	}
}

// keeping is a log of which nothing is released while records of later epochs wait.
type keeping struct{ driver.Log }

// Release implements driver.Log.
func (keeping) Release(uint64) error { return nil }
