// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"context"
	"fmt"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// Publish stores a dataset's bytes on the node of c, registers the dataset and
// announces it. Errors: those of the node; ErrManifest if it stored other bytes.
func Publish(ctx context.Context, c *client.Client, key keys.PrivateKey, m Manifest, file []byte, datanet tx.ID, stake fixed.Amount) (client.Created, error) {
	cid, err := c.Upload(ctx, bytes.NewReader(file))
	if err != nil {
		return client.Created{}, err
	}
	if cid != m.Content.String() {
		return client.Created{}, fmt.Errorf("%w: the node stored %s, not %s", ErrManifest, cid, m.Content)
	}
	out, err := c.Create(ctx, key, m.Upload(datanet, stake))
	if err != nil {
		return client.Created{}, err
	}
	return out, Gossip(ctx, c, key, KindDataset, out.ID, m.Encode())
}

// Gossip announces that the node of c provides an object's content.
func Gossip(ctx context.Context, c *client.Client, key keys.PrivateKey, kind uint64, id tx.ID, manifest []byte) error {
	s, err := c.NodeStatus(ctx, api.Empty{})
	if err != nil {
		return err
	}
	a := Announce(s.Chain, kind, id, manifest, s.Addrs[:min(len(s.Addrs), 4)], key)
	_, err = c.DatasetAnnounce(ctx, api.AnnounceParams{Announcement: a.Encode()})
	return err
}
