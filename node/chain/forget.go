// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/store"
)

// Needed returns the least height whose block must stay: the parent of the seal
// below every epoch whose validators can still be punished, and below the last
// epoch that has ended. So what proves their faults is there (CONS-50), and the last two
// seals with their parents, by which others join (CONS-48).
//
// Cost: two reads of the state and about 40 headers. Errors: those of the store.
func (c *Chain) Needed() (uint64, error) {
	head := c.Head().Height
	top, _, err := c.Header(head)
	if err != nil {
		return 0, err
	}
	epoch := max(top.Epoch, 1) - 1
	if top.Kind == header.KindSeal {
		epoch = top.Epoch
	}
	v, err := c.View()
	if err != nil {
		return 0, err
	}
	prefix := state.PastSetPrefix()
	past, err := v.Scan(prefix, nil, 1)
	if err != nil {
		return 0, err
	}
	if len(past) > 0 && len(past[0].Key) == len(prefix)+8 {
		epoch = min(epoch, binary.BigEndian.Uint64(past[0].Key[len(prefix):]))
	}
	var fault error
	low := c.store.Oldest()
	n := sort.Search(int(head-min(low, head)), func(i int) bool {
		h, _, err := c.Header(low + uint64(i))
		if err != nil {
			fault = err
			return true
		}
		return h.Epoch >= epoch
	})
	return max(low+uint64(n), 2) - 2, fault
}

// Forget deletes about want bytes of old blocks, never of those that are Needed,
// and returns how many. It may run beside everything else. Errors: those of
// store.Store.Forget.
func (c *Chain) Forget(want uint64) (freed uint64, err error) {
	below, err := c.Needed()
	if err != nil {
		return 0, err
	}
	return c.store.Forget(below, want, c.txIDs)
}

// txIDs lists the ids of the transactions of a body.
func (c *Chain) txIDs(body []byte) (ids [][32]byte, err error) {
	var list []ledger.Batch
	if err := enc.Decode(body, &list); err != nil {
		return nil, fmt.Errorf("%w: body: %w", store.ErrCorrupt, err)
	}
	for _, b := range list {
		for _, raw := range b.Txs {
			s, err := tx.Decode(raw)
			if err != nil {
				return nil, errors.Join(store.ErrCorrupt, err)
			}
			ids = append(ids, s.Body.ID(c.env.ChainID))
		}
	}
	return ids, nil
}
