// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/store"
)

// ErrLostLog reports a validator whose write-ahead log is gone. It may have signed
// what it no longer knows, and would sign against itself (CONS-45).
var ErrLostLog = errors.New("the write-ahead log of this validator is gone")

// votedKey marks, in the local records, that a key has voted from this home.
func (n *Node) votedKey() []byte {
	pub := n.cfg.Validator.Public()
	return append([]byte("voted/"), pub[:]...)
}

const lostLog = "restore it from a copy made after the last vote; without one, start without keys.validator: this key must not vote again on this network"

// openLog opens the write-ahead log and puts its records into cfg. Errors:
// ErrLostLog, store.ErrCorrupt, consensus.ErrRecord.
func (n *Node) openLog(cfg *driver.Config) (*store.WAL, error) {
	dir := filepath.Join(n.cfg.Home, "wal")
	segments, err := filepath.Glob(filepath.Join(dir, "wal-*.log"))
	if err != nil {
		return nil, err
	}
	switch _, err := n.store.Local().Get(n.votedKey()); {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return nil, err
	case len(segments) == 0:
		return nil, fmt.Errorf("%w: %s is empty; %s", ErrLostLog, dir, lostLog)
	}
	wal, records, err := store.OpenWAL(dir)
	if err != nil {
		return nil, damaged(err, lostLog)
	}
	if err := errors.Join(n.store.Local().Put(n.votedKey(), nil, true), readLog(records, cfg)); err != nil {
		return nil, errors.Join(err, wal.Close())
	}
	return wal, nil
}

// readLog sorts the records of the log by whose they are.
func readLog(records []store.Record, cfg *driver.Config) error {
	for _, r := range records {
		if r.Kind == driver.RecordBatch {
			cfg.Batches = append(cfg.Batches, r.Payload)
			continue
		}
		rec, err := consensus.DecodeRecord(r.Payload)
		if err != nil {
			return fmt.Errorf("write-ahead log: %w; %s", err, lostLog)
		}
		cfg.Records = append(cfg.Records, rec)
	}
	return nil
}

// damaged adds what to do to an error that says that files are damaged.
func damaged(err error, todo string) error {
	if errors.Is(err, store.ErrCorrupt) {
		return fmt.Errorf("%w; %s", err, todo)
	}
	return err
}
