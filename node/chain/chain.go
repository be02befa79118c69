// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/exec"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/store"
)

// Errors.
var (
	// ErrOtherGenesis: the database belongs to another network.
	ErrOtherGenesis = errors.New("the data belongs to another network")
	// ErrNoParent: the parent's result is neither committed nor cached.
	ErrNoParent = errors.New("parent was not executed")
	// ErrStale: the block is at or below the head and not on its chain.
	ErrStale = errors.New("block lost against a final one")
	// ErrRoots: a final header carries other roots than our own execution.
	ErrRoots = errors.New("own state differs from a final header")
)

// Block is a checked block; Finalization is set before Commit.
type Block struct {
	Hash         header.Hash
	Verified     ledger.VerifiedBlock
	Finalization *cert.Certificate // of this block or of a descendant
}

// Header returns the block's header.
func (b *Block) Header() *header.Header { return b.Verified.Header() }

// Roots are those after a block.
type Roots struct{ State, Receipts [32]byte }

// result is a block's cached execution and the state after it. Its view and nodes
// lie above the parent's result; once committed they are the store's, so that no
// chain of old results stays alive.
type result struct {
	parent   header.Hash
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

// Chain owns the ledger's head. See the package comment for concurrency.
type Chain struct {
	store   *store.Store
	env     exec.Env
	genesis genesis.Doc
	set     *valset.Set
	results map[header.Hash]*result
}

// Open binds a store to a genesis document, writing the genesis state into an
// empty store. Errors: ErrOtherGenesis, those of the store.
func Open(s *store.Store, doc genesis.Doc) (*Chain, error) {
	c := &Chain{store: s, genesis: doc, env: exec.Env{ChainID: doc.ChainID()}, results: map[header.Hash]*result{}}
	var err error
	if c.set, err = doc.ValidatorSet(); err != nil {
		return nil, err
	}
	h, err := doc.Header()
	if err != nil {
		return nil, err
	}
	if _, ok := s.Head(); !ok {
		if err := c.writeGenesis(h); err != nil {
			return nil, fmt.Errorf("write genesis: %w", err)
		}
	}
	first, err := s.HeaderCert(0)
	if err != nil {
		return nil, err
	}
	got, _, err := DecodeHeaderCert(first)
	if err != nil {
		return nil, err
	}
	if got.Hash() != h.Hash() {
		return nil, fmt.Errorf("%w: chain %x, genesis file says %x", ErrOtherGenesis, got.ChainID[:8], h.ChainID[:8])
	}
	return c, c.loadHead()
}

func (c *Chain) writeGenesis(h header.Header) error {
	writes := c.genesis.Writes()
	root, nodes, stale, err := merkle.Update(noNodes{}, merkle.StateRoot{}, 0, writes)
	if err != nil {
		return err
	}
	if err := c.store.Commit(store.Batch{HeaderHash: h.Hash(), Body: enc.Encode([]ledger.Batch{}), HeaderAndCert: EncodeHeaderCert(&h, nil),
		Writes: writes, Nodes: nodes, Stale: stale, Root: root}); err != nil {
		return err
	}
	return c.store.Sync()
}

// noNodes is the empty tree's reader.
type noNodes struct{}

// Node implements merkle.NodeReader.
func (noNodes) Node([]byte) ([]byte, error) { return nil, store.ErrNotFound }

// loadHead makes the committed head the root of speculation.
func (c *Chain) loadHead() error {
	head, _ := c.store.Head()
	_, err := c.base(head.Height)
	return err
}

// base caches the committed block at height as a parent of branches.
func (c *Chain) base(height uint64) (*result, error) {
	v, err := c.store.View(height)
	if err != nil {
		return nil, err
	}
	raw, err := c.store.Receipts(height)
	if err != nil {
		return nil, err
	}
	r := &result{height: height, view: v, below: v, root: v.Head().Root,
		roots: Roots{State: v.Head().Root.Hash, Receipts: merkle.Root(raw)}}
	c.results[v.Head().HeaderHash] = r
	return r, nil
}

// Execute runs b on its parent's result and caches the outcome by block hash;
// a repeated call is free, and so is that of a committed block. Errors: ErrStale,
// ErrNoParent, ErrRoots if the header does not carry the parent's roots,
// exec.ErrFault.
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
		return Roots{}, fmt.Errorf("%w: %x of height %d", ErrNoParent, h.Parent[:4], h.Height)
	}
	if want := (Roots{h.StateRoot, h.ReceiptsRoot}); want != parent.roots {
		return Roots{}, fmt.Errorf("%w: at height %d", ErrRoots, h.Height)
	}
	out, err := exec.Apply(parent, c.env, b.Verified)
	if err != nil {
		return Roots{}, err
	}
	root, nodes, stale, err := merkle.Update(parent, parent.root, h.Height, out.Writes)
	if err != nil {
		return Roots{}, err
	}
	r := &result{parent: h.Parent, height: h.Height, view: layer(parent, out.Writes), nodes: make(map[string][]byte, len(nodes)),
		below: parent, root: root, receipts: out.Receipts, writes: out.Writes, newNodes: nodes, stale: stale,
		roots: Roots{State: root.Hash, Receipts: ledger.ReceiptsRoot(out.Receipts)}}
	for _, kv := range nodes {
		r.nodes[string(kv.Key)] = kv.Value
	}
	c.results[b.Hash] = r
	return r.roots, nil
}

// committedRoots returns the roots after a committed block. Errors: ErrStale.
func (c *Chain) committedRoots(height uint64, hash header.Hash) (Roots, error) {
	v, err := c.store.View(height)
	if err != nil {
		return Roots{}, err
	}
	if v.Head().HeaderHash != hash {
		return Roots{}, fmt.Errorf("%w: %x of height %d", ErrStale, hash[:4], height)
	}
	raw, err := c.store.Receipts(height)
	return Roots{State: v.Head().Root.Hash, Receipts: merkle.Root(raw)}, err
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

// Commit makes a decided block the head, executing it if that was not done. A
// block at or below the head is not written again, and done is false. Errors:
// those of Execute and the store.
func (c *Chain) Commit(b *Block) (done bool, err error) {
	h := b.Header()
	head, _ := c.store.Head()
	if h.Height <= head.Height {
		return false, nil
	}
	if _, err := c.Execute(b); err != nil {
		return false, err
	}
	r := c.results[b.Hash]
	batch := store.Batch{Height: h.Height, HeaderHash: b.Hash, HeaderAndCert: EncodeHeaderCert(h, b.Finalization),
		Body: enc.Encode(b.Verified.Block().Batches), Writes: r.writes, Nodes: r.newNodes, Stale: r.stale, Root: r.root}
	for _, t := range b.Verified.Txs() {
		batch.TxIDs = append(batch.TxIDs, t.ID())
	}
	for _, rec := range r.receipts {
		batch.Receipts = append(batch.Receipts, rec.Encode())
	}
	if err := c.store.Commit(batch); err != nil {
		return false, err
	}
	return true, c.rebase(b.Hash, h.Height)
}

// rebase lets branches above the new head read from the store and drops what
// can no longer be a parent.
func (c *Chain) rebase(hash header.Hash, height uint64) error {
	v, err := c.store.View(height)
	if err != nil {
		return err
	}
	r := c.results[hash]
	r.view, r.nodes, r.below, r.writes, r.newNodes, r.stale = v, nil, v, nil, nil, nil
	for k, other := range c.results {
		if other.height < height {
			delete(c.results, k)
		}
	}
	return nil
}

// Discard drops the results of blocks that will never be final.
func (c *Chain) Discard(blocks []header.Hash) {
	for _, b := range blocks {
		delete(c.results, b)
	}
}

// Sync makes every committed block survive a power loss.
func (c *Chain) Sync() error { return c.store.Sync() }
