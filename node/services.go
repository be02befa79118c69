// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"path/filepath"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/node/worker"
)

// services implements worker.Services.
type services struct{ n *Node }

// Operator implements worker.Services.
func (s services) Operator() keys.Address { return s.n.operator() }

// View implements worker.Services.
func (s services) View() (state.View, error) { return s.n.view() }

// Content implements worker.Services.
func (s services) Content(ctx context.Context, object tx.ID, id content.ID, size uint64) ([]byte, error) {
	return s.n.Content(ctx, object, id, size)
}

// Keep implements worker.Services.
func (s services) Keep(b []byte) (content.ID, error) {
	id, _, err := s.n.blobs.Put(bytes.NewReader(b))
	return id, err
}

// Send implements worker.Services.
func (s services) Send(ctx context.Context, payload tx.Payload) error {
	got, err := s.n.sendOwn(ctx, payload)
	if err == nil && got.Receipt != nil && got.Receipt.Number != 0 {
		err = tx.Errorf(tx.Code(got.Receipt.Number), "refused at height %d", got.Height)
	}
	return err
}

// Card implements worker.Services.
func (s services) Card(task tx.ID) worker.Card {
	if l := s.n.cards.Take(task.String()); l != nil {
		return l
	}
	return nil
}

// Folder implements worker.Services.
func (s services) Folder() string { return filepath.Join(s.n.cfg.Home, "work") }

// Local implements worker.Services.
func (s services) Local() *store.Local { return s.n.store.Local() }
