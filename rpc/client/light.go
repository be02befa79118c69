// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/rpc/api"
)

// ErrFalse reports an answer that contradicts what the caller trusts: the node
// lies, or it is of another network.
var ErrFalse = errors.New("the node's answer is false")

// Follow advances l with the node's seals until it has no more, or to epoch until.
// Nothing that the node says is believed. Each seal that was taken goes to taken,
// if that is not nil. Errors: ErrFalse, those of the call. Cost: one certificate
// per epoch.
func (c *Client) Follow(ctx context.Context, l *cert.Light, until uint64, taken func(*cert.Seal)) error {
	for l.Set().Epoch() < until {
		got, err := c.ChainSeals(ctx, api.SealsParams{From: l.Set().Epoch()})
		if err != nil {
			return err
		}
		if len(got.Items) == 0 {
			return nil
		}
		for _, x := range got.Items {
			s, err := cert.DecodeSeal(x.Record)
			if err == nil {
				err = l.Take(s)
			}
			if err != nil {
				return fmt.Errorf("%w: seal of epoch %d: %w", ErrFalse, l.Set().Epoch(), err)
			}
			if taken != nil {
				taken(s)
			}
			if l.Set().Epoch() >= until {
				return nil
			}
		}
	}
	return nil
}

// Start makes the light reader of a block that the caller trusts by its hash: the
// node sends its header, which the hash proves, and the set that it names. first is
// the set of epoch 0. Errors: ErrFalse, those of the call.
func (c *Client) Start(ctx context.Context, height uint64, hash [32]byte, first *valset.Set) (*cert.Light, error) {
	got, err := c.ChainHeader(ctx, api.HeightParams{Height: height})
	if err != nil {
		return nil, err
	}
	h, err := header.Decode(got.Header)
	if err == nil && h.Hash() != hash {
		err = fmt.Errorf("block %d has the hash %x", height, h.Hash())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFalse, err)
	}
	set := first
	if h.Epoch != first.Epoch() {
		if set, err = c.setOf(ctx, h.Epoch); err != nil {
			return nil, err
		}
	}
	l, err := cert.NewLight(h, set)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFalse, err)
	}
	return l, nil
}

// setOf asks for the set of an epoch; NewLight compares it with the header.
func (c *Client) setOf(ctx context.Context, epoch uint64) (*valset.Set, error) {
	got, err := c.ChainSeals(ctx, api.SealsParams{From: epoch - 1, Count: 1})
	if err != nil {
		return nil, err
	}
	if len(got.Items) == 0 {
		return nil, fmt.Errorf("the node does not know the validators of epoch %d; ask another one with --node", epoch)
	}
	s, err := cert.DecodeSeal(got.Items[0].Record)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFalse, err)
	}
	set, err := valset.Decode(s.Next)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFalse, err)
	}
	return set, nil
}
