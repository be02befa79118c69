// SPDX-License-Identifier: Apache-2.0

package member

import (
	"fmt"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/node/votelog"
)

// guarded is what a log with a double-sign guard can do beside a plain one.
// votelog.Log is such a log.
type guarded interface {
	// Bound is the highest view of an epoch of which nothing is to be signed.
	Bound(epoch uint64) uint64
	// Close is called when the log cannot be trusted, before Restart.
	Close() error
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

// OwnWord reports the kinds of records that say what the key has signed or where
// it stood: the log keeps them twice (CONS-43).
func OwnWord(kind uint8) bool { return votelog.Words(kind) }

// ReadLog sorts the records of a log without a guard by whose they are. Errors:
// consensus.ErrRecord.
func ReadLog(records []store.Record, cfg *driver.Config) error {
	for _, r := range records {
		if r.Kind == driver.RecordBatch {
			cfg.Batches = append(cfg.Batches, r.Payload)
			continue
		}
		rec, err := consensus.DecodeRecord(r.Payload)
		if err != nil {
			return fmt.Errorf("write-ahead log: %w", err)
		}
		cfg.Records = append(cfg.Records, rec)
	}
	return nil
}
