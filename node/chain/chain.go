// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"errors"
	"fmt"
	"sync/atomic"

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
	// ErrStale: another block is final at this height, or the block's branch was
	// given up. Nothing will come of it.
	ErrStale = errors.New("block is on no live branch")
	// ErrRoots: a final header carries other roots than our own execution. Stop
	// the node and keep both (CONS-29).
	ErrRoots = errors.New("own state differs from a final header")
	// ErrFork: another block than the committed one was decided at its height.
	// Stop the node.
	ErrFork = errors.New("another block is committed at this height")
)

// Block is a checked block; Finalization is set before Commit, Receipts by Decide.
type Block struct {
	Hash         header.Hash
	Verified     ledger.VerifiedBlock
	Finalization *cert.Certificate // of this block or of a descendant
	Carriers     []header.Header   // of a seal: from just above it up to what Finalization names (CONS-40)
	Leaves       [][]byte          // what the header's justification commits to, then those of Carriers; empty if not at hand
	Receipts     []ledger.Receipt  // the system's first, if there is one
}

// Header returns the block's header.
func (b *Block) Header() *header.Header { return b.Verified.Header() }

// Roots are those after a block.
type Roots struct{ State, Receipts [32]byte }

// Outcome is what consensus needs of a block's result.
type Outcome struct {
	Roots
	NextSet [32]byte // hash of the set that the state elects for the next epoch (CONS-39)
	Waiting bool     // an object awaits a seed (CONS-35)
}

// Chain owns the ledger's head. See the package comment for concurrency.
type Chain struct {
	store   *store.Store
	env     exec.Env
	genesis genesis.Doc
	set     atomic.Pointer[valset.Set] // of the block above the head
	duty    atomic.Pointer[duty]       // of the head, or of one before it
	results map[header.Hash]*result
}

// Open binds a store to a genesis document, writing the genesis state into an
// empty store. Errors: ErrOtherGenesis, those of the store.
func Open(s *store.Store, doc genesis.Doc) (*Chain, error) {
	c := &Chain{store: s, genesis: doc, env: exec.Env{ChainID: doc.ChainID()}, results: map[header.Hash]*result{}}
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
	got, _, _, err := DecodeHeaderCert(first)
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
	if err := c.store.Commit(store.Batch{HeaderHash: h.Hash(), Body: enc.Encode([]ledger.Batch{}), HeaderAndCert: EncodeHeaderCert(&h, nil, nil),
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
	r, err := c.base(head.Height)
	if err != nil {
		return err
	}
	return c.turn(r)
}

// turn takes the validator set out of the state after the head.
func (c *Chain) turn(head state.View) error {
	set, err := exec.CurrentSet(head)
	if err != nil {
		return err
	}
	if set, err = set.Prepared(); err != nil {
		return err
	}
	c.set.Store(set)
	return nil
}
