// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"time"

	"github.com/openledger/openledger/node/quota"
)

// measureEvery is how often the disk of the home is measured.
const measureEvery = 30 * time.Second

// keepDisk holds the home to its bound until ctx ends; an error says that the node
// must stop (NODE-01).
func (n *Node) keepDisk(ctx context.Context) error {
	k := quota.New(quota.Config{Max: n.cfg.Settings.Store.MaxGiB << 30, Free: func() (uint64, uint64, error) { return quota.FreeSpace(n.cfg.Home) }, Used: func() (uint64, error) { return quota.Used(n.cfg.Home) },
		Low: n.blobs.Refuse, Log: n.log,
		Steps: []quota.Step{{Name: "blobs of others", Free: n.blobs.Evict}, {Name: "old snapshots", Free: n.past.shelf.Drop},
			{Name: "history", Free: n.dropHistory}}})
	for {
		if err := k.Turn(); err != nil {
			return err
		}
		if !pause(ctx, measureEvery) {
			return nil
		}
	}
}

// forgetEvery is the least time between two deletions of history: what was deleted
// leaves the disk only when the database compacts, and is not to be deleted twice.
const forgetEvery = 10 * time.Minute

// dropHistory deletes old states and about want bytes of old blocks, but what must
// stay (chain.Chain.Needed), unless the node keeps an archive. It runs beside the
// chain, which does not wait for it.
func (n *Node) dropHistory(want uint64) (uint64, error) {
	if n.cfg.Settings.Store.Archive || time.Since(n.forgotten) < forgetEvery {
		return 0, nil
	}
	n.forgotten = time.Now()
	if err := n.store.Prune(minRetain); err != nil {
		return 0, err
	}
	return n.chain.Forget(want)
}
