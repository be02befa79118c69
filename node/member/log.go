// SPDX-License-Identifier: Apache-2.0

package member

import (
	"fmt"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/store"
)

// OwnWord reports the kinds of records that say what the key has signed or where
// it stood: the log keeps them twice (CONS-43).
func OwnWord(kind uint8) bool { return kind <= uint8(consensus.RecordFinalize) }

// ReadLog sorts the records of a log by whose they are. Errors: consensus.ErrRecord.
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
