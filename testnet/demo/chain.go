// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/testnet/localnet"
)

const pollEvery = 50 * time.Millisecond

// until polls f until it says true.
func until(ctx context.Context, what string, within time.Duration, f func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		ok, err := f(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if ok {
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %s within %v", ErrCheck, what, within)
		}
	}
}

type head struct {
	height uint64
	root   tx.ID
	roots  []tx.ID
}

// sameHead returns the state root at one height on every running validator; they
// must be equal. Header h+1 carries the root after h.
func (s *story) sameHead(ctx context.Context) (head, error) {
	low := ^uint64(0)
	for _, m := range s.validators() {
		st, err := m.Client().NodeStatus(ctx, api.Empty{})
		if err != nil {
			return head{}, err
		}
		low = min(low, st.Height)
	}
	h := head{height: low - 1}
	for _, m := range s.validators() {
		hd, err := m.Client().ChainHeader(ctx, api.HeightParams{Height: low})
		if err != nil {
			return head{}, err
		}
		h.roots = append(h.roots, hd.StateRoot)
		h.root = h.roots[0]
		if err := check(hd.StateRoot == h.root, "%s has root %v after height %d, validator0 has %v", m.Name, hd.StateRoot, h.height, h.root); err != nil {
			return head{}, err
		}
	}
	return h, nil
}

func (s *story) validators() (out []localnet.Node) {
	for _, m := range s.net.Nodes {
		if m.Validator && m.Running() {
			out = append(out, m)
		}
	}
	return out
}

// send submits a transaction of a person and waits until it is final.
func (s *story) send(ctx context.Context, who string, payload tx.Payload) (api.TxStatus, error) {
	st, err := s.c.Send(ctx, s.key[who], payload)
	if err != nil {
		err = fmt.Errorf("%s of %s: %w", payload.Kind(), who, err)
	}
	return st, err
}

// create is send for a payload that makes one object.
func (s *story) create(ctx context.Context, who string, payload tx.Payload) (tx.ID, error) {
	st, err := s.send(ctx, who, payload)
	return tx.ObjectID(st.TxID, payload.Kind(), 0), err
}

func (s *story) address(who string) keys.Address {
	return keys.SingleAuth(s.key[who].Public()).Address()
}

// name is the person behind an address.
func (s *story) name(a keys.Address) string {
	for who := range s.key {
		if s.address(who) == a {
			return who
		}
	}
	return a.String()
}

func (s *story) balance(ctx context.Context, a keys.Address) (fixed.Amount, error) {
	v, err := s.c.AccountGet(ctx, api.AccountParams{Address: a})
	return v.Balance, err
}

// books is the last beat: roots equal, supply conserved, digest.
func (s *story) books(ctx context.Context) error {
	h, err := s.sameHead(ctx)
	if err != nil {
		return err
	}
	if err := check(len(h.roots) == s.r.Validators, "%d of %d validators answer", len(h.roots), s.r.Validators); err != nil {
		return err
	}
	s.r.StateRoots, s.r.Height = h.roots, h.height
	supply, err := s.c.ChainSupply(ctx, api.Empty{})
	if err != nil {
		return err
	}
	if err := check(supply.Equal && supply.Total == state.Total, "accounts sum to another amount than %v", state.Total); err != nil {
		return err
	}
	s.r.Supply, s.r.RSS = supply.Total, s.net.RSS()
	s.r.ResultDigest = s.digest.sum()
	s.fact("%d/%d state roots equal at height %d: %s", len(h.roots), s.r.Validators, h.height, h.root)
	s.fact("supply %s: every unit is in an account (counted)", supply.Total)
	s.fact("memory of all %d processes: %d MiB", len(s.net.Nodes), s.r.RSS>>20)
	s.fact("result digest %s (equal on every run and machine)", s.r.ResultDigest)
	s.try("query supply --node %s", s.net.Nodes[0].RPC)
	return nil
}
