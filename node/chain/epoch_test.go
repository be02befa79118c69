// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/store"
)

// TestASealBeginsAnEpoch: the set above the head is that of the next epoch, a core
// starts from the seal with what proves it, and so it is after a restart.
func TestASealBeginsAnEpoch(t *testing.T) {
	for carriers := range 3 {
		w := chaintest.New(t, 4, 2)
		s := store.OpenMemory()
		c := w.Open(s)
		if start := must(c.EpochStart())(t); start.Proof != nil || start.Header.Height != 0 {
			t.Fatalf("epoch 0 starts from %+v", start.Header)
		}
		w.Grow(c, 5)
		old := c.Set()
		seal := w.Seal(c, carriers)
		must(c.Commit(seal))(t)
		if c.Set().Epoch() != 1 || [32]byte(seal.Header().NextSet) != c.Set().Hash() {
			t.Fatalf("epoch %d above the seal", c.Set().Epoch())
		}
		root := must(c.Root())(t)
		if root.Header.Height != 6 || root.Header.Kind != header.KindSeal {
			t.Fatalf("a core starts from %+v", root.Header)
		}
		for range 2 {
			start := must(c.EpochStart())(t)
			proof := must(cert.DecodeProof(start.Proof))(t)
			if err := proof.Verify(old, w.ID, &start.Header); err != nil || len(proof.Headers) != carriers || start.Header.Hash() != seal.Hash {
				t.Fatalf("%d carriers: epoch 1 starts from height %d: %v", carriers, start.Header.Height, err)
			}
			w.Grow(c, 3)
			if err := c.Sync(); err != nil {
				t.Fatal(err)
			}
			c = w.Open(s)
			if root := must(c.Root())(t); c.Set().Epoch() != 1 || root.Header.Height != c.Head().Height || root.Header.Epoch != 1 {
				t.Fatalf("after a restart in epoch %d: %+v", c.Set().Epoch(), root.Header)
			}
		}
		must(c.Commit(w.Seal(c, 0)))(t)
		if start := must(c.EpochStart())(t); c.Set().Epoch() != 2 || start.Header.Height != 13 {
			t.Fatalf("epoch %d starts from %+v", c.Set().Epoch(), start.Header)
		}
	}
}
