// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"errors"
	"fmt"
	"os"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/snapshot"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/store"
)

// Import builds a ledger out of the chunks beside the one in home; the next
// store.Open there uses it. The ledger begins with the block before the seal, for
// which final, the seal's own finalization, is kept. genesis is the stored header
// of height 0. The chunks are removed.
//
// Errors: merkle.ErrRoot if what was read from disk is not what was checked: the
// chunks are removed then too, and the next Fetch brings them anew.
func (f *Fetched) Import(home string, o store.Options, genesis []byte, final *cert.Certificate) error {
	parent := f.Offer.Parent
	err := store.Import(home, o, store.Snapshot{
		Base:       store.Base{Height: parent.Height, ReceiptsRoot: f.Seal.ReceiptsRoot},
		HeaderHash: parent.Hash(), HeaderAndCert: chain.EncodeHeaderCert(&parent, final, nil),
		Genesis: genesis, Root: f.Seal.StateRoot, Depth: f.Offer.Depth, Part: f.part,
	})
	if err != nil && !errors.Is(err, merkle.ErrRoot) && !errors.Is(err, snapshot.ErrChunk) {
		return err
	}
	return errors.Join(err, os.RemoveAll(f.dir))
}

// part reads a chunk's entries. That they are all that was verified shows in the
// root, which the store computes from them.
func (f *Fetched) part(p merkle.Prefix) ([]merkle.KV, error) {
	b, err := os.ReadFile((&fetcher{dir: f.dir}).file(p.Index))
	if err != nil {
		return nil, err
	}
	c, err := snapshot.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("chunk %d: %w", p.Index, err)
	}
	return c.Entries, nil
}
