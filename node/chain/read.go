// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus"
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

// headerCert is what stands at c/<height> in the store: the header, and the
// finalization of it or of a descendant (null for genesis).
type headerCert struct {
	_      struct{} `cbor:",toarray"`
	Header header.Header
	Final  *cert.Certificate
}

// EncodeHeaderCert returns the stored form of a header and its finalization.
func EncodeHeaderCert(h *header.Header, fin *cert.Certificate) []byte {
	return enc.Encode(headerCert{Header: *h, Final: fin})
}

// DecodeHeaderCert reads EncodeHeaderCert's form. Errors: store.ErrCorrupt.
func DecodeHeaderCert(b []byte) (*header.Header, *cert.Certificate, error) {
	var v headerCert
	if err := enc.Decode(b, &v); err != nil {
		return nil, nil, fmt.Errorf("%w: header: %w", store.ErrCorrupt, err)
	}
	return &v.Header, v.Final, nil
}

// View returns the newest committed state.
func (c *Chain) View() (state.View, error) {
	head, _ := c.store.Head()
	return c.ViewAt(head.Height)
}

// ViewAt returns the state after a height. Errors: store.ErrNotFound,
// store.ErrPruned.
func (c *Chain) ViewAt(height uint64) (state.View, error) {
	v, err := c.store.View(height)
	if err != nil {
		return nil, err // not v: a nil *View is no nil interface
	}
	return v, nil
}

// Head returns the newest committed block.
func (c *Chain) Head() store.Head {
	h, _ := c.store.Head()
	return h
}

// Store returns the underlying store for reading.
func (c *Chain) Store() *store.Store { return c.store }

// Env is what execution knows besides the state.
func (c *Chain) Env() exec.Env { return c.env }

// Genesis returns the genesis document.
func (c *Chain) Genesis() genesis.Doc { return c.genesis }

// Set returns the validator set.
func (c *Chain) Set() *valset.Set { return c.set }

// Header returns a committed header and the finalization stored with it.
func (c *Chain) Header(height uint64) (*header.Header, *cert.Certificate, error) {
	b, err := c.store.HeaderCert(height)
	if err != nil {
		return nil, nil, err
	}
	return DecodeHeaderCert(b)
}

// Leaves returns what a committed header's justification commits to; empty if
// it was not at hand when the block was committed (CONS-47).
func (c *Chain) Leaves(height uint64) ([][]byte, error) {
	b, err := c.store.Justification(height)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	var list [][]byte
	if err == nil && enc.Decode(b, &list) != nil {
		err = fmt.Errorf("%w: justification of height %d", store.ErrCorrupt, height)
	}
	return list, err
}

// Batches returns a committed body.
func (c *Chain) Batches(height uint64) ([]ledger.Batch, error) {
	b, err := c.store.Body(height)
	if err != nil {
		return nil, err
	}
	var list []ledger.Batch
	if err := enc.Decode(b, &list); err != nil {
		return nil, fmt.Errorf("%w: body of height %d: %w", store.ErrCorrupt, height, err)
	}
	return list, nil
}

// Root returns where a new consensus core starts: the newest committed block
// with a finalization of its own. Blocks above it are decided again and not
// written again.
func (c *Chain) Root() (consensus.Root, error) {
	for height := c.Head().Height; ; height-- {
		h, fin, err := c.Header(height)
		if err != nil {
			return consensus.Root{}, err
		}
		if height > 0 && (fin == nil || fin.View != h.View) {
			continue
		}
		r, err := c.base(height)
		if err != nil {
			return consensus.Root{}, err
		}
		return consensus.Root{Header: *h, Finalization: fin, StateRoot: r.roots.State, ReceiptsRoot: r.roots.Receipts}, nil
	}
}

// Due reports whether the epoch or a window of the ledger ends at or before wall,
// so that a block is wanted although no transaction waits (CONS-53).
func (c *Chain) Due(wall uint64) bool {
	v, err := c.View()
	if err != nil {
		return false
	}
	clock, err := state.GetClock(v)
	if err != nil {
		return false
	}
	if p, err := state.GetParams(v); err == nil && clock.Due(p, wall) {
		return true
	}
	first, err := v.Scan(state.DuePrefix(state.DueCTime), nil, 1)
	if err != nil || len(first) == 0 {
		return false
	}
	at, _, _, ok := state.ParseDue(state.DueCTime, first[0].Key)
	return ok && at <= clock.CTimeMS+min(max(wall, clock.TimeMS)-clock.TimeMS, 10_000)
}

// Receipts returns the receipts of a height: the system's first, if there is one,
// then those of its transactions in block order.
func (c *Chain) Receipts(height uint64) ([]ledger.Receipt, error) {
	raw, err := c.store.Receipts(height)
	if err != nil {
		return nil, err
	}
	out := make([]ledger.Receipt, len(raw))
	for i, b := range raw {
		if out[i], err = ledger.DecodeReceipt(b); err != nil {
			return nil, fmt.Errorf("%w: receipt %d of height %d: %w", store.ErrCorrupt, i, height, err)
		}
	}
	return out, nil
}

// Prove proves the value, or the absence, of key after height−1 against the
// state root in the header of height.
func (c *Chain) Prove(height uint64, key []byte) (merkle.StateProof, error) {
	v, err := c.store.View(height - 1)
	if err != nil {
		return merkle.StateProof{}, err
	}
	value, err := v.Get(key)
	if err != nil {
		return merkle.StateProof{}, err
	}
	return merkle.ProveState(v, v.Head().Root, key, value)
}
