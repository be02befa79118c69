// SPDX-License-Identifier: Apache-2.0

package member

import (
	"testing"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/node/driver"
)

// TestCONS44EachEpochGetsItsRecordsThoughTheDatabaseIsBehind starts in epoch 1 with a
// log that reaches into epoch 3: what was signed there is not forgotten on the way.
func TestCONS44EachEpochGetsItsRecordsThoughTheDatabaseIsBehind(t *testing.T) {
	rec := func(epoch, view uint64) consensus.Record { return consensus.Record{Epoch: epoch, View: view} }
	r := records{[]consensus.Record{rec(0, 9), rec(1, 1), rec(3, 1), rec(3, 2)}, [][]byte{{1}}}
	for _, c := range []struct {
		epoch         uint64
		records       int
		batches, held bool
	}{{1, 1, true, true}, {2, 0, false, true}, {3, 2, true, false}, {4, 0, false, false}} {
		cfg := driver.Config{Records: []consensus.Record{rec(7, 7)}}
		r.give(&cfg, c.epoch)
		if len(cfg.Records) != c.records || (len(cfg.Batches) > 0) != c.batches || (len(r.list) > 0) != c.held {
			t.Errorf("epoch %d: %d records, %d batches, %d held", c.epoch, len(cfg.Records), len(cfg.Batches), len(r.list))
		}
		for _, x := range cfg.Records {
			if x.Epoch != c.epoch {
				t.Errorf("epoch %d gets a record of epoch %d", c.epoch, x.Epoch)
			}
		}
	}
}
