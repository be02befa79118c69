// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/node/store"
)

// committed reports whether the block of that hash stands at height in the
// store. Errors: ErrFork if another one does.
func (c *Chain) committed(height uint64, hash header.Hash) (bool, error) {
	head, _ := c.store.Head()
	if height > head.Height {
		return false, nil
	}
	h, _, err := c.Header(height)
	if err != nil {
		return false, err
	}
	if got := h.Hash(); got != hash {
		return false, fmt.Errorf("%w: height %d has %x, not %x", ErrFork, height, got[:4], hash[:4])
	}
	return true, nil
}

// Commit executes a final block and makes it the head, for sync. A block at or
// below the head is not written again, and done is false. Errors: those of
// Execute and Decide.
func (c *Chain) Commit(b *Block) (done bool, err error) {
	if old, err := c.committed(b.Header().Height, b.Hash); old || err != nil {
		return false, err
	}
	if _, err := c.Execute(b); err != nil {
		return false, err
	}
	out, err := c.Decide(b.Hash, b.Header().Height, b.Finalization, b.Carriers, b.Leaves...)
	if err != nil {
		return false, err
	}
	b.Receipts = out.Receipts // of the same block, which may have been executed before
	return true, nil
}

// maxJustification bounds what is kept of leaves: what is longer fits into no frame of
// blocks/1 and, at some length, into no write of the database, which would stop the node.
const maxJustification = 1 << 20

// Decide makes an executed block the head and returns it; nil if it was
// committed before. carriers stand between a seal and what fin names. A seal
// changes Set. The leaves are what the block's justification commits to, then those
// of the carriers, none if not at hand; they are kept as evidence, up to 1 MiB (CONS-47). Errors: ErrFork, ErrStale if it was never
// executed, those of the store.
func (c *Chain) Decide(hash header.Hash, height uint64, fin *cert.Certificate, carriers []header.Header, leaves ...[]byte) (*Block, error) {
	if old, err := c.committed(height, hash); old || err != nil {
		return nil, err
	}
	r := c.results[hash]
	if r == nil || r.block == nil {
		return nil, fmt.Errorf("%w: decided block %x of height %d was not executed", ErrStale, hash[:4], height)
	}
	b := r.block
	b.Finalization, b.Carriers, b.Leaves, b.Receipts = fin, carriers, leaves, r.receipts
	batch := store.Batch{Height: height, HeaderHash: hash, HeaderAndCert: EncodeHeaderCert(b.Header(), fin, carriers),
		Body: enc.Encode(b.Verified.Block().Batches), Receipts: r.encoded, Writes: r.writes, Nodes: r.newNodes, Stale: r.stale, Root: r.root}
	if j := enc.Encode(leaves); len(leaves) > 0 && len(j) <= maxJustification {
		batch.Justification = j
	}
	var err error
	if batch.TxIDs, err = c.places(r); err != nil {
		return nil, err
	}
	if err := c.store.Commit(batch); err != nil {
		return nil, err
	}
	if err := c.rebase(r); err != nil {
		return nil, err
	}
	if b.Header().Kind == header.KindSeal {
		return b, c.turn(r)
	}
	return b, nil
}

// places lists the block's transaction ids in order, with zero where the ledger
// already knows a better place: a repetition is refused without effect, and must
// not hide the receipt of the one that was executed.
func (c *Chain) places(r *result) ([][32]byte, error) {
	txs := r.block.Verified.Txs()
	receipts := r.receipts[len(r.receipts)-len(txs):]
	ids := make([][32]byte, len(txs))
	at := map[[32]byte]int{}
	for i, t := range txs {
		id := [32]byte(t.ID())
		first, again := at[id]
		if receipts[i].Refused() {
			if again {
				continue
			}
			switch _, _, err := c.store.TxLocation(id); {
			case err == nil:
				continue
			case !errors.Is(err, store.ErrNotFound):
				return nil, err
			}
		} else if again {
			ids[first] = [32]byte{}
		}
		ids[i], at[id] = id, i
	}
	return ids, nil
}

// rebase lets branches above the new head read from the store and drops what
// can no longer be a parent.
func (c *Chain) rebase(r *result) error {
	v, err := c.store.View(r.height)
	if err != nil {
		return err
	}
	r.block, r.view, r.nodes, r.below, r.writes, r.newNodes, r.stale = nil, v, nil, v, nil, nil, nil
	for k, other := range c.results {
		if other.height < r.height {
			delete(c.results, k)
		}
	}
	return nil
}

// Discard drops the results of blocks that will never be final, or that sync has
// committed. The head stays.
func (c *Chain) Discard(blocks []header.Hash) {
	for _, b := range blocks {
		if r := c.results[b]; r != nil && r.block != nil {
			delete(c.results, b)
		}
	}
}

// Sync makes every committed block survive a power loss.
func (c *Chain) Sync() error { return c.store.Sync() }
