// SPDX-License-Identifier: Apache-2.0

package member

import (
	"math"
	"testing"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/driver"
)

// about is a guarded log of which the guard forbids views up to 20 of epoch 5, but
// for Nullify from 3 on, and that let go of views up to 100 of that epoch.
type about struct{ guarded }

func (about) Bound(epoch uint64) uint64   { return map[uint64]uint64{5: 20}[epoch] }
func (about) Nullify(epoch uint64) uint64 { return map[uint64]uint64{5: 3}[epoch] }
func (about) Gone(epoch uint64) uint64 {
	return map[uint64]uint64{4: math.MaxUint64, 5: 100}[epoch]
}

// TestCONS45ALedgerBehindItsLogSignsNothingUpToWhereTheLogBegins: what the key has
// said there nobody here remembers.
func TestCONS45ALedgerBehindItsLogSignsNothingUpToWhereTheLogBegins(t *testing.T) {
	w := chaintest.New(t, 4, 2)
	var list []valset.Entry
	for i := range w.Set.Len() {
		list = append(list, w.Set.Entry(i))
	}
	for _, c := range []struct{ epoch, rootEpoch, root, bound, free uint64 }{
		{4, 4, 900, math.MaxUint64, 0},
		{5, 4, 900, 100, 0}, // the seal of epoch 4
		{5, 5, 99, 100, 0},
		{5, 5, 100, 20, 3},
		{6, 5, 900, 0, 0},
	} {
		set, err := valset.New(c.epoch, list)
		if err != nil {
			t.Fatal(err)
		}
		core := consensus.Config{Set: set, Root: consensus.Root{Header: header.Header{Epoch: c.rootEpoch, View: c.root}}}
		if bound, free := bounds(about{}, &core); bound != c.bound || free != c.free {
			t.Errorf("epoch %d on view %d: nothing up to %d, Nullify from %d; want %d, %d", c.epoch, c.root, bound, free, c.bound, c.free)
		}
	}
}

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
