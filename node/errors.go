// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/mempool"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/rpc/api"
)

// hints say what fixes a refused transaction, by code.
var hints = map[tx.Code]string{
	tx.TxNonceLow:    "build the transaction again: openledger tx build takes the next nonce",
	tx.TxNonceGap:    "send the account's earlier transactions first: openledger query account",
	tx.TxFunds:       "see the balance with openledger query account; on a test network: openledger faucet",
	tx.ObjDeposit:    "see the balance with openledger query account; on a test network: openledger faucet",
	tx.TskEscrow:     "see the balance with openledger query account; on a test network: openledger faucet",
	tx.TxFeeLow:      "build the transaction again: openledger tx build takes the present fee",
	tx.TxExpired:     "build and sign the transaction again: openledger tx build",
	tx.TskBond:       "register as an operator first: openledger node with work.worker = true does it",
	tx.DatDuplicate:  "this content is on the ledger already: openledger data list",
	tx.DatStakeLow:   "pass a larger --stake; openledger datanet list shows the minimum",
	tx.ObjUnknown:    "check the id; openledger query events shows what happened to it",
	tx.ChnCumLow:     "the answers of this voucher are redeemed already; nothing is lost",
	tx.RcpClaimed:    "this payout has been received: openledger payouts",
	tx.ObjPhase:      "look at the object with openledger task show or openledger channel show",
	tx.TskPhase:      "look at the task with openledger task show",
	tx.TxSponsor:     "sponsors are not accepted yet; pay the fee from the sender",
	tx.EncSig:        "sign with the sender's key for this chain: openledger tx sign",
	tx.ObjWindowOpen: "wait for the window to end and try again",
}

// refusal turns a ledger code into the error that clients see.
func refusal(code tx.Code, detail string) *api.Error {
	message := code.Text()
	if detail != "" {
		message = detail
	}
	hint := hints[code]
	if hint == "" {
		hint = "the clause behind the code stands in docs/spec; openledger tx decode shows what was sent"
	}
	return api.Ledger(code.String(), int(code), message, hint)
}

// clientError maps the errors of the node's parts to those of rpc/api, in one
// place (RPC-11). What it does not know becomes INTERNAL in the server.
func clientError(err error) error {
	var known *api.Error
	var refused *tx.Error
	switch {
	case err == nil, errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &refused):
		return refusal(refused.Code, refused.Error())
	case errors.Is(err, mempool.ErrFull):
		return &api.Error{Code: api.CodeMempoolFull, Message: "the mempool is full", Data: api.ErrorData{Code: "MEMPOOL_FULL",
			Hint: "try again in a moment, or wait for your own earlier transactions: openledger tx pending", RetryAfterMS: 500}}
	case errors.Is(err, mempool.ErrKnown):
		return &api.Error{Code: api.CodeBusy, Message: "the transaction is waiting already", Data: api.ErrorData{Code: "BUSY", Hint: "follow it with openledger tx get"}}
	case errors.Is(err, store.ErrPruned):
		return &api.Error{Code: api.CodePruned, Message: err.Error(), Data: api.ErrorData{Code: "PRUNED", Hint: "ask a node with store.archive = true"}}
	case errors.Is(err, state.ErrUnknown), errors.Is(err, store.ErrNotFound):
		return api.NotFound(err.Error())
	case errors.Is(err, publish.ErrManifest):
		return api.BadParams("announcement", err.Error())
	case errors.Is(err, errNotYet):
		return &api.Error{Code: api.CodeNotFound, Message: "the object is not on the ledger yet", Data: api.ErrorData{Code: "NOT_FOUND", Hint: "wait until its transaction is final: openledger tx get"}}
	}
	if e := inferError(err); e != nil {
		return e
	}
	return err
}

// finalWait is how long tx_submit waits for finality (RPC-06).
func notFinal(id tx.ID) *api.Error {
	e := api.NotFinal(fmt.Sprintf("transaction %v is waiting, not final", id))
	e.Data.TxID = id.String()
	return e
}
