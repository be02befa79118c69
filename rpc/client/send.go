// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
)

// ErrBuilt reports a node that built another transaction than was asked for.
var ErrBuilt = errors.New("the node built another transaction than was asked for; do not trust it")

// FeeCap is the largest fee, in base units, that Sign lets a node write into a
// transaction: many thousand times a usual one.
const FeeCap = fixed.OPEN

// Sign decodes a body that a node built, checks that it is what was asked for
// and costs at most FeeCap, and signs it here: a key never leaves the process
// (CLI-04). Errors: ErrBuilt, tx.ErrInvalid.
func Sign(built []byte, asked tx.Payload, chain api.Hash, key keys.PrivateKey) (tx.Signed, error) {
	body, err := tx.DecodeBody(built)
	if err != nil {
		return tx.Signed{}, fmt.Errorf("the node built a malformed transaction: %w", err)
	}
	same := body.Payload.Kind() == asked.Kind() && string(enc.Encode(body.Payload)) == string(enc.Encode(asked))
	if !same || body.Sender != keys.SingleAuth(key.Public()).Address() {
		return tx.Signed{}, ErrBuilt
	}
	if body.MaxFee > FeeCap || body.Tip > 0 {
		return tx.Signed{}, fmt.Errorf("%w: a fee of up to %v with a tip of %v, at most %v and no tip", ErrBuilt, body.MaxFee, body.Tip, FeeCap)
	}
	return tx.Sign(chain, body, key), nil
}

// Send builds, signs and submits a payload and waits until it is final. Errors:
// those of Sign, *api.Error of the node, or the ledger's refusal in the receipt.
func (c *Client) Send(ctx context.Context, key keys.PrivateKey, payload tx.Payload) (api.TxStatus, error) {
	status, err := c.NodeStatus(ctx, api.Empty{})
	if err != nil {
		return api.TxStatus{}, err
	}
	fields, err := json.Marshal(payload)
	if err != nil {
		return api.TxStatus{}, err
	}
	sender := keys.SingleAuth(key.Public()).Address()
	built, err := c.TxBuild(ctx, api.TxBuildParams{Kind: payload.Kind().String(), Fields: fields, Sender: sender})
	if err != nil {
		return api.TxStatus{}, err
	}
	signed, err := Sign(built.Bytes, payload, status.Chain, key)
	if err != nil {
		return api.TxStatus{}, err
	}
	out, err := c.TxSubmit(ctx, api.TxSubmitParams{Bytes: signed.Encode()})
	return out, Refused(out, err)
}

// Refused turns a receipt that says no into the ledger's error.
func Refused(s api.TxStatus, err error) error {
	if err != nil || s.Receipt == nil || s.Receipt.Number == 0 {
		return err
	}
	return api.Ledger(s.Receipt.Code, s.Receipt.Number, fmt.Sprintf("transaction %v was included at height %d and refused", s.TxID, s.Height),
		"the fee was taken; openledger tx get shows the receipt")
}

// Created is an object that a transaction made.
type Created struct {
	ID api.Hash
	api.TxStatus
}

// Create is Send for a payload that makes one object.
func (c *Client) Create(ctx context.Context, key keys.PrivateKey, payload tx.Payload) (Created, error) {
	s, err := c.Send(ctx, key, payload)
	if err != nil {
		return Created{}, err
	}
	return Created{tx.ObjectID(s.TxID, payload.Kind(), 0), s}, nil
}
