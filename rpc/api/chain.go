// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// ChainBackend reads the finalized chain.
type ChainBackend interface {
	ChainHead(context.Context, Empty) (ChainHead, error)
	ChainHeader(context.Context, HeightParams) (ChainHeader, error)
	ChainBlock(context.Context, HeightParams) (ChainBlock, error)
	ChainGenesis(context.Context, Empty) (ChainGenesis, error)
	ChainParams(context.Context, Empty) (ChainParams, error)
	ChainValidators(context.Context, Empty) (ChainValidators, error)
	ChainSupply(context.Context, Empty) (ChainSupply, error)
	ChainEvents(context.Context, EventsParams) (ChainEvents, error)
	ChainProof(context.Context, ProofParams) (StateProof, error)
	ChainSeals(context.Context, SealsParams) (ChainSeals, error)
}

// ChainHead is the newest final block.
type ChainHead struct {
	Height    uint64 `json:"height"`
	Hash      Hash   `json:"hash"`
	TimeMS    uint64 `json:"time_ms"`
	StateRoot Hash   `json:"state_root"` // after Height
	Epoch     uint64 `json:"epoch"`
}

// HeightParams names a block.
type HeightParams struct {
	Height uint64 `json:"height"`
}

// ChainHeader is a header with the certificate that made it final.
type ChainHeader struct {
	Height      uint64 `json:"height"`
	Hash        Hash   `json:"hash"`
	Parent      Hash   `json:"parent"`
	View        uint64 `json:"view"`
	Leader      uint64 `json:"leader"`
	TimeMS      uint64 `json:"time_ms"`
	StateRoot   Hash   `json:"state_root"` // after the parent
	Receipts    Hash   `json:"receipts_root"`
	Signers     []int  `json:"signers"`
	Header      []byte `json:"header"`      // canonical bytes
	Certificate []byte `json:"certificate"` // canonical bytes
}

// BlockTx is one transaction of a block.
type BlockTx struct {
	TxID   Hash         `json:"txid"`
	Kind   string       `json:"kind"`
	Sender keys.Address `json:"sender"`
}

// ChainBlock is a header with its transactions.
type ChainBlock struct {
	ChainHeader
	Txs []BlockTx `json:"txs"`
}

// ChainGenesis is the genesis document.
type ChainGenesis struct {
	Chain Hash   `json:"chain"`
	Bytes []byte `json:"bytes"`
	JSON  string `json:"json"`
}

// Param is one parameter of the ledger.
type Param struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ChainParams lists the parameters in force.
type ChainParams struct {
	Items []Param `json:"items"`
}

// Validator is one entry of the set.
type Validator struct {
	Index   int          `json:"index"`
	Address keys.Address `json:"address"`
	Key     string       `json:"key"`
	Power   uint64       `json:"power"`
}

// ChainValidators is the set of the current validator epoch.
type ChainValidators struct {
	Items []Validator `json:"items"`
}

// Bucket is one part of the supply.
type Bucket struct {
	Name   string       `json:"name"`
	Amount fixed.Amount `json:"amount"`
}

// ChainSupply shows that every unit is somewhere: Free plus Modules is Total.
type ChainSupply struct {
	Height  uint64       `json:"height"`
	Total   fixed.Amount `json:"total"`
	Free    fixed.Amount `json:"free"`
	Modules []Bucket     `json:"modules"`
	Equal   bool         `json:"equal"`
}

// Cursor names one event in ledger order.
type Cursor struct {
	Height uint64 `json:"height"`
	Seq    uint64 `json:"seq"`
}

// EventsParams asks for events after From; from the first block on if it is
// absent. Limit is 1..1,000 (default 1,000).
type EventsParams struct {
	From    Cursor        `json:"from,omitzero"`
	Topics  []string      `json:"topics,omitempty"`
	Account *keys.Address `json:"account,omitempty"`
	Limit   int           `json:"limit,omitempty"`
}

// Event is one event of the ledger.
type Event struct {
	Height  uint64         `json:"height"`
	Seq     uint64         `json:"seq"`
	Topic   string         `json:"topic"`
	Name    string         `json:"name"`
	TxID    *Hash          `json:"txid,omitempty"`
	IDs     []Hash         `json:"ids,omitempty"`
	Amounts []fixed.Amount `json:"amounts,omitempty"`
}

// ChainEvents is a page of events. Next is the cursor to go on from; it moves
// past events that the filter leaves out, so an empty page whose Next is ahead
// of From is not the end.
type ChainEvents struct {
	Items []Event `json:"items"`
	Next  Cursor  `json:"next"`
}

// ProofParams names a raw state key.
type ProofParams struct {
	Key []byte `json:"key"`
}

// StateProof proves what stands at Key after Height, against the state root in
// header Height+1 and the certificate that covers it (RPC-05). Value is absent
// when the proof is one of absence. Statement is the self-contained proof that
// `openledger verify proof` checks.
type StateProof struct {
	Height    uint64 `json:"height"`
	Key       []byte `json:"key"`
	Value     []byte `json:"value,omitempty"`
	Statement []byte `json:"statement"`
}

// SealsParams asks for the seals of validator epochs from From on. Count is 1..64
// (default 64).
type SealsParams struct {
	From  uint64 `json:"from"`
	Count uint64 `json:"count,omitempty"`
}

// Seal ends a validator epoch. Record is its header, its finality proof and the
// set of the next epoch as a light client takes them (cert.Seal).
type Seal struct {
	Epoch  uint64 `json:"epoch"`
	Height uint64 `json:"height"`
	Hash   Hash   `json:"hash"`
	TimeMS uint64 `json:"time_ms"`
	Record []byte `json:"record"`
}

// ChainSeals are consecutive epochs; fewer than asked for when there are no more.
type ChainSeals struct {
	Items []Seal `json:"items"`
}

var chainMethods = []Method{
	def("chain_head", Read, "The newest final block.", `{}`, Backend.ChainHead),
	def("chain_header", Read, "A final header and its certificate.", `{"height":1}`, Backend.ChainHeader),
	def("chain_block", Read, "A final block with its transactions.", `{"height":1}`, Backend.ChainBlock),
	def("chain_genesis", Read, "The genesis document.", `{}`, Backend.ChainGenesis),
	def("chain_params", Read, "The ledger's parameters.", `{}`, Backend.ChainParams),
	def("chain_validators", Read, "The validator set.", `{}`, Backend.ChainValidators),
	heavy(def("chain_supply", Read, "Where every unit of OPEN is.", `{}`, Backend.ChainSupply)),
	def("chain_events", Read, "Events after a cursor, in ledger order.", `{"from":{"height":1,"seq":0},"limit":10}`, Backend.ChainEvents),
	def("chain_seals", Read, "The ends of validator epochs, with all that a light client needs to follow them.", `{"from":0,"count":2}`, Backend.ChainSeals),
	def("chain_proof", Read, "Proof of the value, or of the absence, at a state key.", `{"key":"AQA="}`, Backend.ChainProof),
}
