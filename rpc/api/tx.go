// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// TxBackend builds, checks, submits and finds transactions.
type TxBackend interface {
	TxSubmit(context.Context, TxSubmitParams) (TxStatus, error)
	// TxSubmitAll is TxSubmit for several; the results have their order.
	TxSubmitAll(context.Context, []TxSubmitParams) ([]TxStatus, []error)
	TxBuild(context.Context, TxBuildParams) (TxBuilt, error)
	TxSimulate(context.Context, TxBytes) (TxSimulated, error)
	TxGet(context.Context, TxGetParams) (TxStatus, error)
	TxDecode(context.Context, TxBytes) (TxDecoded, error)
	TxPending(context.Context, TxPendingParams) (TxPending, error)
	TxFee(context.Context, Empty) (TxFee, error)
	FaucetRequest(context.Context, FaucetParams) (TxStatus, error)
}

// TxSubmitParams carries signed canonical bytes. Wait is none, mempool or final
// (default final, at most 30 s).
type TxSubmitParams struct {
	Bytes []byte `json:"bytes"`
	Wait  string `json:"wait,omitempty"`
}

// TxReceipt is what executing a transaction left.
type TxReceipt struct {
	Code   string       `json:"code"` // "ok" or LEDGER's code
	Number int          `json:"number"`
	Fee    fixed.Amount `json:"fee"`
	Events []Event      `json:"events,omitempty"`
}

// TxStatus says where a transaction is: pending, final or unknown.
type TxStatus struct {
	TxID    Hash       `json:"txid"`
	Status  string     `json:"status"`
	Height  uint64     `json:"height,omitempty"`
	Index   uint64     `json:"index,omitempty"`
	Receipt *TxReceipt `json:"receipt,omitempty"`
	Bytes   []byte     `json:"bytes,omitempty"`
}

// TxBuildParams asks for an unsigned body. Fields are the kind's fields by name.
type TxBuildParams struct {
	Kind   string          `json:"kind"`
	Fields json.RawMessage `json:"fields"`
	Sender keys.Address    `json:"sender"`
	Tip    fixed.Amount    `json:"tip,omitempty"`
	Nonce  *uint64         `json:"nonce,omitempty"`
}

// TxBuilt is an unsigned transaction. A client signs Digest's preimage locally
// after checking that Bytes decode to what it asked for.
type TxBuilt struct {
	Bytes      []byte       `json:"bytes"` // canonical body
	SignBytes  []byte       `json:"sign_bytes"`
	TxID       Hash         `json:"txid"`
	Nonce      uint64       `json:"nonce"`
	MaxFee     fixed.Amount `json:"max_fee"`
	ValidUntil uint64       `json:"valid_until"`
	Reveal     bool         `json:"reveal"` // the account's first transaction reveals its key
}

// TxBytes carries transaction bytes, signed or a body alone.
type TxBytes struct {
	Bytes []byte `json:"bytes"`
}

// TxSimulated is the outcome on a throw-away overlay.
type TxSimulated struct {
	Receipt TxReceipt `json:"receipt"`
}

// TxGetParams names a transaction.
type TxGetParams struct {
	TxID Hash `json:"txid"`
}

// TxDecoded explains transaction bytes.
type TxDecoded struct {
	TxID       Hash            `json:"txid"`
	Kind       string          `json:"kind"`
	Sender     keys.Address    `json:"sender"`
	Nonce      uint64          `json:"nonce"`
	MaxFee     fixed.Amount    `json:"max_fee"`
	Tip        fixed.Amount    `json:"tip"`
	ValidUntil uint64          `json:"valid_until"`
	Fields     json.RawMessage `json:"fields"`
	Signed     bool            `json:"signed"`
}

// TxPendingParams narrows the list to one sender.
type TxPendingParams struct {
	Sender *keys.Address `json:"sender,omitempty"`
	Limit  int           `json:"limit,omitempty"`
}

// TxPending lists transactions of the mempool.
type TxPending struct {
	Count int    `json:"count"`
	Items []Hash `json:"items"`
}

// TxFee is the price of inclusion now.
type TxFee struct {
	BaseFee fixed.Amount `json:"base_fee"` // nOPEN per unit of weight
	Typical fixed.Amount `json:"typical"`  // a transfer's fee
}

// FaucetParams names who receives test money.
type FaucetParams struct {
	Address keys.Address `json:"address"`
}

var submitParams = paramsOf[TxSubmitParams]()

// DecodeTxSubmit reads the parameters of tx_submit. Errors: *Error.
func DecodeTxSubmit(raw json.RawMessage) (p TxSubmitParams, err error) {
	if p, ok := plainSubmit(raw); ok {
		return p, nil
	}
	return p, submitParams.decode(raw, &p)
}

// plainSubmit reads the usual form of the parameters, {"bytes":"…","wait":"…"} or
// {"bytes":"…"} without space or escape, with the result of the general decoder.
func plainSubmit(raw []byte) (p TxSubmitParams, ok bool) {
	rest, ok := bytes.CutPrefix(raw, []byte(`{"bytes":"`))
	if !ok {
		return p, false
	}
	text, rest, ok := bytes.Cut(rest, []byte(`"`))
	if !ok {
		return p, false
	}
	p.Bytes = make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(p.Bytes, text)
	if err != nil || bytes.ContainsAny(text, "\r\n\\") {
		return TxSubmitParams{}, false
	}
	p.Bytes = p.Bytes[:n]
	if string(rest) == "}" {
		return p, true
	}
	for _, wait := range []string{"none", "mempool", "final"} {
		if string(rest) == `,"wait":"`+wait+`"}` {
			p.Wait = wait
			return p, true
		}
	}
	return TxSubmitParams{}, false
}

// quick makes a single tx_submit read its parameters as DecodeTxSubmit does.
func quick(m Method) Method {
	m.Call = func(ctx context.Context, b Backend, raw json.RawMessage) (any, error) {
		p, err := DecodeTxSubmit(raw)
		if err != nil {
			return nil, err
		}
		return b.TxSubmit(ctx, p)
	}
	return m
}

var txMethods = []Method{
	quick(def("tx_submit", Submit, "Submit a signed transaction and wait for it.", `{"bytes":"","wait":"none"}`, Backend.TxSubmit)),
	def("tx_build", Read, "Build an unsigned transaction of any kind.", `{"kind":"Transfer","fields":{"to":"`+exampleAddress+`","amount":"1","memo":""},"sender":"`+exampleAddress+`"}`, Backend.TxBuild),
	heavy(def("tx_simulate", Read, "Run a signed transaction on a throw-away copy of the state.", `{"bytes":""}`, Backend.TxSimulate)),
	def("tx_get", Read, "Find a transaction by id.", `{"txid":"`+exampleHash+`"}`, Backend.TxGet),
	def("tx_decode", Read, "Explain transaction bytes.", `{"bytes":""}`, Backend.TxDecode),
	def("tx_pending", Read, "Transactions waiting for a block.", `{}`, Backend.TxPending),
	def("tx_fee", Read, "The price of inclusion now.", `{}`, Backend.TxFee),
	def("faucet_request", Submit, "Test networks: receive OPEN once per address and epoch.", `{"address":"`+exampleAddress+`"}`, Backend.FaucetRequest),
}
