// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"fmt"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/exec"
	"github.com/openledger/openledger/ledger/state"
)

// result is a block's cached execution and the state after it. Its view and nodes
// lie above the parent's result; once committed they are the store's, so that no
// chain of old results stays alive.
type result struct {
	block    *Block // nil once committed
	height   uint64
	view     state.View
	nodes    map[string][]byte
	below    merkle.NodeReader
	root     merkle.StateRoot
	receipts []ledger.Receipt
	writes   []merkle.KV
	newNodes []merkle.KV
	stale    [][]byte
	roots    Roots
}

// Get implements state.View.
func (r *result) Get(key []byte) ([]byte, error) { return r.view.Get(key) }

// Scan implements state.View.
func (r *result) Scan(prefix, after []byte, limit int) ([]merkle.KV, error) {
	return r.view.Scan(prefix, after, limit)
}

// Node implements merkle.NodeReader over the branch.
func (r *result) Node(key []byte) ([]byte, error) {
	if v, ok := r.nodes[string(key)]; ok {
		return v, nil
	}
	return r.below.Node(key)
}

// base caches the committed block at height as a parent of branches.
func (c *Chain) base(height uint64) (*result, error) {
	v, err := c.store.View(height)
	if err != nil {
		return nil, err
	}
	receipts, err := c.receiptsRoot(height)
	if err != nil {
		return nil, err
	}
	r := &result{height: height, view: v, below: v, root: v.Head().Root,
		roots: Roots{State: v.Head().Root.Hash, Receipts: receipts}}
	c.results[v.Head().HeaderHash] = r
	return r, nil
}

// Execute runs b on its parent's result and caches the outcome by block hash;
// a repeated call, or one for a committed block, is free. Errors: ErrStale,
// ErrRoots if the header does not carry the parent's roots, exec.ErrFault.
func (c *Chain) Execute(b *Block) (Roots, error) {
	if r := c.results[b.Hash]; r != nil {
		return r.roots, nil
	}
	h := b.Header()
	if h.Height <= c.Head().Height {
		return c.committedRoots(h.Height, b.Hash)
	}
	parent := c.results[h.Parent]
	if parent == nil {
		return Roots{}, fmt.Errorf("%w: parent %x of height %d was not executed", ErrStale, h.Parent[:4], h.Height)
	}
	if want := (Roots{h.StateRoot, h.ReceiptsRoot}); want != parent.roots {
		return Roots{}, fmt.Errorf("%w: header of height %d says %x and %x, ours are %x and %x", ErrRoots, h.Height,
			want.State[:4], want.Receipts[:4], parent.roots.State[:4], parent.roots.Receipts[:4])
	}
	r, err := c.run(b, parent)
	if err != nil {
		return Roots{}, err
	}
	c.results[b.Hash] = r
	return r.roots, nil
}

// run executes b on parent.
func (c *Chain) run(b *Block, parent *result) (*result, error) {
	out, err := exec.Apply(parent, c.env, b.Verified)
	if err != nil {
		return nil, err
	}
	height := b.Header().Height
	root, nodes, stale, err := merkle.Update(parent, parent.root, height, out.Writes)
	if err != nil {
		return nil, err
	}
	r := &result{block: b, height: height, view: layer(parent, out.Writes), nodes: make(map[string][]byte, len(nodes)),
		below: parent, root: root, receipts: out.Receipts, writes: out.Writes, newNodes: nodes, stale: stale,
		roots: Roots{State: root.Hash, Receipts: ledger.ReceiptsRoot(out.Receipts)}}
	for _, kv := range nodes {
		r.nodes[string(kv.Key)] = kv.Value
	}
	return r, nil
}

// committedRoots returns the roots after a committed block. Errors: ErrStale if
// another one stands at its height.
func (c *Chain) committedRoots(height uint64, hash header.Hash) (Roots, error) {
	v, err := c.store.View(height)
	if err != nil {
		return Roots{}, err
	}
	if v.Head().HeaderHash != hash {
		return Roots{}, fmt.Errorf("%w: %x of height %d", ErrStale, hash[:4], height)
	}
	receipts, err := c.receiptsRoot(height)
	return Roots{State: v.Head().Root.Hash, Receipts: receipts}, err
}

// receiptsRoot returns the root over the receipts of a committed block. Those of
// the block at which the ledger begins did not travel; their root did (CONS-48).
func (c *Chain) receiptsRoot(height uint64) ([32]byte, error) {
	if b := c.store.Base(); height == b.Height && height > 0 {
		return b.ReceiptsRoot, nil
	}
	raw, err := c.store.Receipts(height)
	return merkle.Root(raw), err
}

// layer is a read-only view of writes above base.
func layer(base state.View, writes []merkle.KV) state.View {
	o := state.NewOverlay(base)
	for _, kv := range writes {
		if kv.Value == nil {
			o.Delete(kv.Key)
		} else {
			o.Put(kv.Key, kv.Value)
		}
	}
	return o
}
