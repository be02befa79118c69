// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"fmt"
	"slices"

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
	encoded  [][]byte // the receipts
	writes   []merkle.KV
	newNodes []merkle.KV
	stale    [][]byte
	out      Outcome
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
	r := &result{height: height, view: v, below: v, root: v.Head().Root}
	if err := r.look(nil, receipts); err != nil {
		return nil, err
	}
	c.results[v.Head().HeaderHash] = r
	return r, nil
}

// look fills in the outcome. The elected set is the parent's unless the block
// began an epoch or wrote what the election reads.
func (r *result) look(parent *result, receipts [32]byte) (err error) {
	r.out.Roots = Roots{State: r.root.Hash, Receipts: receipts}
	if r.out.Waiting, err = exec.Waiting(r); err != nil {
		return err
	}
	seal := r.block != nil && r.block.Header().Kind == header.KindSeal
	if parent != nil && !seal && !slices.ContainsFunc(r.writes, func(kv merkle.KV) bool { return state.Elects(kv.Key) }) {
		r.out.NextSet = parent.out.NextSet
		return nil
	}
	set, err := exec.NextSet(r)
	if err != nil {
		return err
	}
	r.out.NextSet = set.Hash()
	return nil
}

// Execute runs b on its parent's result and caches the outcome by block hash;
// a repeated call, or one for a committed block, is free. Errors: ErrStale,
// ErrRoots if the header does not carry the parent's roots, exec.ErrFault.
func (c *Chain) Execute(b *Block) (Outcome, error) {
	if r := c.results[b.Hash]; r != nil {
		return r.out, nil
	}
	h := b.Header()
	if h.Height <= c.Head().Height {
		return c.recall(h.Height, b.Hash)
	}
	parent := c.results[h.Parent]
	if parent == nil {
		return Outcome{}, fmt.Errorf("%w: parent %x of height %d was not executed", ErrStale, h.Parent[:4], h.Height)
	}
	if want := (Roots{h.StateRoot, h.ReceiptsRoot}); want != parent.out.Roots {
		return Outcome{}, fmt.Errorf("%w: header of height %d says %x and %x, ours are %x and %x", ErrRoots, h.Height,
			want.State[:4], want.Receipts[:4], parent.out.State[:4], parent.out.Receipts[:4])
	}
	r, err := c.run(b, parent)
	if err != nil {
		return Outcome{}, err
	}
	c.results[b.Hash] = r
	return r.out, nil
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
		below: parent, root: root, receipts: out.Receipts, writes: out.Writes, newNodes: nodes, stale: stale}
	for _, rec := range out.Receipts {
		r.encoded = append(r.encoded, rec.Encode())
	}
	for _, kv := range nodes {
		r.nodes[string(kv.Key)] = kv.Value
	}
	return r, r.look(parent, merkle.Root(r.encoded))
}

// recall returns the outcome of a committed block. Errors: ErrStale if another
// one stands at its height.
func (c *Chain) recall(height uint64, hash header.Hash) (Outcome, error) {
	v, err := c.store.View(height)
	if err != nil {
		return Outcome{}, err
	}
	if v.Head().HeaderHash != hash {
		return Outcome{}, fmt.Errorf("%w: %x of height %d", ErrStale, hash[:4], height)
	}
	return c.Outcome(height)
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
