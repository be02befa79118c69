// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"errors"
	"fmt"
	"log/slog"
)

// Bounds of free space in bytes (NODE-01).
const (
	// StopBelow is the free space below which a node stops.
	StopBelow = 512 << 20
	// lowBelow and lowShare of the disk, whichever is more: below it no blob is
	// written.
	lowBelow = 2 << 30
	lowShare = 20
)

// ErrFull reports a disk with less than StopBelow bytes free, when nothing is left
// that may be deleted. Stop the node before the database fails.
var ErrFull = errors.New("the disk is nearly full")

// Step frees space by deleting one kind of thing. It deletes what is least worth
// first, until want bytes are free, and returns how many it freed.
type Step struct {
	Name string
	Free func(want uint64) (freed uint64, err error)
}

// Config is what a Keeper needs.
type Config struct {
	Max   uint64                                 // bytes that the home may use; 0: no bound
	Free  func() (free, total uint64, err error) // of the disk of the home, in bytes
	Used  func() (uint64, error)                 // bytes of the home
	Steps []Step                                 // in order: what is deleted first comes first
	Low   func(low bool)                         // told at each Turn whether blobs may not be written
	Log   *slog.Logger                           // nil: none
}

// Keeper belongs to one goroutine.
type Keeper struct {
	cfg Config
	low bool
}

// New returns a Keeper.
func New(cfg Config) *Keeper {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{cfg: cfg}
}

// Turn measures, deletes what is too much, and says whether the node may go on.
// Errors: ErrFull, those of measuring.
func (k *Keeper) Turn() error {
	if k.cfg.Max > 0 {
		used, err := k.cfg.Used()
		if err != nil {
			return fmt.Errorf("measure the home: %w", err)
		}
		if used > k.cfg.Max {
			k.reduce("the home uses more than store.max_gib", used-k.cfg.Max)
		}
	}
	free, total, err := k.cfg.Free()
	if err == nil && free < StopBelow {
		k.reduce("the disk is nearly full", StopBelow-free)
		free, total, err = k.cfg.Free()
	}
	if err != nil {
		return fmt.Errorf("measure free space: %w", err)
	}
	if low := free < max(lowBelow, total/lowShare); low != k.low {
		k.low = low
		k.cfg.Log.Warn("disk space", "free_mib", free>>20, "blobs_are_written", !low)
	}
	k.cfg.Low(k.low)
	if free < StopBelow {
		return fmt.Errorf("%w: %d MiB free, at least %d are needed; free some space or move --home", ErrFull, free>>20, uint64(StopBelow)>>20)
	}
	return nil
}

// reduce deletes in order until want bytes are freed or nothing is left.
func (k *Keeper) reduce(why string, want uint64) {
	for _, s := range k.cfg.Steps {
		freed, err := s.Free(want)
		k.cfg.Log.Warn(why, "deleted", s.Name, "freed_mib", freed>>20, "wanted_mib", want>>20, "err", err)
		if freed >= want {
			return
		}
		want -= freed
	}
}
