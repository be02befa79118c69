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
			{Name: "history", Free: func(uint64) (uint64, error) {
				if n.cfg.Settings.Store.Archive {
					return 0, nil
				}
				return 0, n.store.Prune(minRetain) // the database gives the space back when it compacts
			}}}})
	for {
		if err := k.Turn(); err != nil {
			return err
		}
		if !pause(ctx, measureEvery) {
			return nil
		}
	}
}
