// SPDX-License-Identifier: Apache-2.0

package store

import "errors"

// Markers of this package; errors.Is answers the policy question.
var (
	// ErrNotFound means that there is no such record.
	ErrNotFound = errors.New("not found")
	// ErrCorrupt means that stored data is damaged: stop the node, then restore
	// the files from a copy or move them away and sync again from peers.
	ErrCorrupt = errors.New("damaged data")
	// ErrPruned means that the state or the block of that height was given up. It
	// is an ErrNotFound too: nobody who can do without it needs to know why.
	ErrPruned error = pruned{}
	// ErrHeight means that a commit does not follow the head.
	ErrHeight = errors.New("height does not follow the head")
	// ErrLocked means that another process has the files open.
	ErrLocked = errors.New("in use by another process")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("store is closed")
	// ErrSize means that a record or a batch of records is too large.
	ErrSize = errors.New("record too large")
	// ErrFormat means that another version of the program wrote the files.
	ErrFormat = errors.New("unknown format version")
)

type pruned struct{}

func (pruned) Error() string        { return "height is pruned" }
func (pruned) Is(target error) bool { return target == ErrNotFound }
