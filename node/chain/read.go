// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"errors"
	"fmt"
	"sort"

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

// headerCert is what stands at c/<height> in the store: the header, the
// finalization of it or of a descendant (null for genesis), and for a seal the
// carriers up to the one that is finalized.
type headerCert struct {
	_        struct{} `cbor:",toarray"`
	Header   header.Header
	Final    *cert.Certificate
	Carriers []header.Header
}

// EncodeHeaderCert returns the stored form of a header, its finalization and, for
// a seal, its carriers.
func EncodeHeaderCert(h *header.Header, fin *cert.Certificate, carriers []header.Header) []byte {
	return enc.Encode(headerCert{Header: *h, Final: fin, Carriers: carriers})
}

// DecodeHeaderCert reads EncodeHeaderCert's form. Errors: store.ErrCorrupt.
func DecodeHeaderCert(b []byte) (*header.Header, *cert.Certificate, []header.Header, error) {
	var v headerCert
	if err := enc.Decode(b, &v); err != nil {
		return nil, nil, nil, fmt.Errorf("%w: header: %w", store.ErrCorrupt, err)
	}
	return &v.Header, v.Final, v.Carriers, nil
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

// Set returns the validator set of the block above the head. It may be called
// from any goroutine.
func (c *Chain) Set() *valset.Set { return c.set.Load() }

// Header returns a committed header and the finalization stored with it.
func (c *Chain) Header(height uint64) (*header.Header, *cert.Certificate, error) {
	b, err := c.store.HeaderCert(height)
	if err != nil {
		return nil, nil, err
	}
	h, fin, _, err := DecodeHeaderCert(b)
	return h, fin, err
}

// Carriers returns what stands between a committed seal and the block that its
// finalization names.
func (c *Chain) Carriers(height uint64) ([]header.Header, error) {
	b, err := c.store.HeaderCert(height)
	if err != nil {
		return nil, err
	}
	_, _, carriers, err := DecodeHeaderCert(b)
	return carriers, err
}

// Justifications cuts leaves into what h's justification commits to and what that
// of each carrier does; false if they are not that.
func Justifications(h *header.Header, carriers []header.Header, leaves [][]byte) (list [][][]byte, ok bool) {
	for i := -1; i < len(carriers); i++ {
		if i >= 0 {
			h = &carriers[i]
		}
		n := h.View - h.ParentView
		if h.View < h.ParentView || n > uint64(len(leaves)) || merkle.Root(leaves[:n]) != h.Justification {
			return nil, false
		}
		list, leaves = append(list, leaves[:n:n]), leaves[n:]
	}
	return list, len(leaves) == 0
}

// Leaves returns what a committed header's justification commits to, of a seal
// then what those of its carriers do; empty if it was not at hand when the block
// was committed (CONS-47).
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

// Outcome returns what consensus needs of the result of a committed block.
func (c *Chain) Outcome(height uint64) (Outcome, error) {
	r, err := c.base(height)
	if err != nil {
		return Outcome{}, err
	}
	return r.out, nil
}

// Root returns where a new consensus core starts: the newest committed block of
// its epoch with a finalization of its own, or the root of the epoch. Blocks above
// it are decided again and not written again.
func (c *Chain) Root() (consensus.Root, error) {
	for height := c.Head().Height; ; height-- {
		h, fin, err := c.Header(height)
		if err != nil {
			return consensus.Root{}, err
		}
		if height > 0 && h.Kind != header.KindSeal && (fin == nil || fin.View != h.View) {
			continue
		}
		out, err := c.Outcome(height)
		return consensus.Root{Header: *h, Finalization: fin, StateRoot: out.State, ReceiptsRoot: out.Receipts,
			NextSet: out.NextSet, Waiting: out.Waiting}, err
	}
}

// EpochStart returns the root of the epoch above the head: genesis or the newest
// seal, with what proves it final (CONS-40).
func (c *Chain) EpochStart() (consensus.EpochStart, error) {
	height, err := c.epochRoot()
	if err != nil {
		return consensus.EpochStart{}, err
	}
	raw, err := c.store.HeaderCert(height)
	if err != nil {
		return consensus.EpochStart{}, err
	}
	h, fin, carriers, err := DecodeHeaderCert(raw)
	if err != nil || h.Kind != header.KindSeal {
		return consensus.EpochStart{Header: *h}, err
	}
	now, err := c.View()
	if err != nil {
		return consensus.EpochStart{}, err
	}
	set, err := exec.PastSet(now, h.Epoch)
	proof := cert.FinalityProof{Finalization: *fin, Headers: carriers}
	return consensus.EpochStart{Header: *h, Proof: proof.Encode(), Set: set}, err
}

// epochRoot finds the newest seal, or genesis: the block below the lowest one of
// the head's epoch, unless the head is a seal.
func (c *Chain) epochRoot() (uint64, error) {
	head := c.Head().Height
	top, _, err := c.Header(head)
	if err != nil || top.Kind == header.KindSeal {
		return head, err
	}
	var fault error
	first := sort.Search(int(head), func(i int) bool {
		h, _, err := c.Header(uint64(i))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			fault = err
		}
		return err == nil && h.Epoch == top.Epoch
	})
	return max(uint64(first), 1) - 1, fault
}

// duty is what the state after a height wants of the next block.
type duty struct {
	height  uint64
	clock   state.Clock
	waiting bool   // an object awaits a seed
	at      uint64 // chain time at which the first window ends
}

// Due reports whether a window of the ledger ends at or before wall, or an object
// awaits a seed, so that a block is wanted although no transaction waits
// (CONS-53). The end of the epoch the core knows itself. The state is read once
// per height, because drivers ask all the time.
func (c *Chain) Due(wall uint64) bool {
	d := c.duty.Load()
	if height := c.Head().Height; d == nil || d.height != height {
		var err error
		if d, err = c.nextDuty(height); err != nil {
			return false
		}
		c.duty.Store(d)
	}
	return d.waiting || d.at <= d.clock.CTimeMS+min(max(wall, d.clock.TimeMS)-d.clock.TimeMS, 10_000)
}

func (c *Chain) nextDuty(height uint64) (*duty, error) {
	v, err := c.ViewAt(height)
	if err != nil {
		return nil, err
	}
	d := &duty{height: height, at: ^uint64(0)}
	clock, err1 := state.GetClock(v)
	waiting, err2 := exec.Waiting(v)
	first, err3 := v.Scan(state.DuePrefix(state.DueCTime), nil, 1)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	d.clock, d.waiting = clock, waiting
	if len(first) > 0 {
		if at, _, _, ok := state.ParseDue(state.DueCTime, first[0].Key); ok {
			d.at = at
		}
	}
	return d, nil
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
