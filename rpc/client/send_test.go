// SPDX-License-Identifier: Apache-2.0

package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
)

var (
	chain = [32]byte{7}
	me    = keys.FromSeed([32]byte{1})
	other = keys.FromSeed([32]byte{2})
)

func address(k keys.PrivateKey) keys.Address { return keys.SingleAuth(k.Public()).Address() }

func built(change func(*tx.Body)) []byte {
	b := tx.Body{Kind: tx.KindTransfer, Sender: address(me), Nonce: 3, MaxFee: 12_000, ValidUntil: 100,
		Payload: &tx.Transfer{To: address(other), Amount: 5, Memo: []byte{}}}
	if change != nil {
		change(&b)
	}
	return b.Bytes()
}

func TestOnlyWhatWasAskedForIsSigned(t *testing.T) {
	asked := &tx.Transfer{To: address(other), Amount: 5, Memo: []byte{}}
	s, err := Sign(built(nil), asked, chain, me)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Verify(chain, s); err != nil {
		t.Errorf("the signature does not verify: %v", err)
	}
	for name, change := range map[string]func(*tx.Body){
		"another amount":    func(b *tx.Body) { b.Payload = &tx.Transfer{To: address(other), Amount: 6, Memo: []byte{}} },
		"another receiver":  func(b *tx.Body) { b.Payload = &tx.Transfer{To: address(me), Amount: 5, Memo: []byte{}} },
		"another sender":    func(b *tx.Body) { b.Sender = address(other) },
		"another kind":      func(b *tx.Body) { b.Kind, b.Payload = tx.KindFaucetDrip, &tx.FaucetDrip{To: address(other)} },
		"a fee without end": func(b *tx.Body) { b.MaxFee = FeeCap + 1 },
		"a tip":             func(b *tx.Body) { b.Tip = 1 },
	} {
		if _, err := Sign(built(change), asked, chain, me); !errors.Is(err, ErrBuilt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Sign(built(func(b *tx.Body) { b.MaxFee = FeeCap }), asked, chain, me); err != nil {
		t.Errorf("a fee of the cap: %v", err)
	}
	if _, err := Sign([]byte{1, 2}, asked, chain, me); !errors.Is(err, tx.ErrInvalid) {
		t.Errorf("malformed bytes: %v", err)
	}
}

// node answers what Send asks, and keeps what is submitted.
func node(t *testing.T, code int) (*Client, *[]byte) {
	var submitted []byte
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var q struct {
			Method string          `json:"method"`
			Params json.RawMessage `json:"params"`
		}
		_ = json.Unmarshal(body, &q)
		var result any
		switch q.Method {
		case "node_status":
			result = api.NodeStatus{Chain: chain}
		case "tx_build":
			result = api.TxBuilt{Bytes: built(nil)}
		case "tx_submit":
			var p api.TxSubmitParams
			_ = json.Unmarshal(q.Params, &p)
			submitted = p.Bytes
			result = api.TxStatus{Status: "final", Height: 9, Receipt: &api.TxReceipt{Code: "tx_funds", Number: code, Fee: fixed.Amount(3)}}
		}
		text, _ := json.Marshal(result)
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":%s}`, text)
	}))
	t.Cleanup(s.Close)
	return New(s.URL, ""), &submitted
}

func TestSendSubmitsWhatItSigned(t *testing.T) {
	asked := &tx.Transfer{To: address(other), Amount: 5, Memo: []byte{}}
	c, submitted := node(t, 0)
	s, err := c.Send(t.Context(), me, asked)
	if err != nil || s.Height != 9 {
		t.Fatalf("%+v %v", s, err)
	}
	signed, err := tx.Decode(*submitted)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := tx.Verify(chain, signed); err != nil || signed.Body.Nonce != 3 {
		t.Errorf("%+v %v", v, err)
	}
	var e *api.Error
	c, _ = node(t, 1105)
	if _, err := c.Send(t.Context(), me, asked); !errors.As(err, &e) || e.Code != api.CodeLedger || e.Data.Code != "tx_funds" || e.Data.Number != 1105 {
		t.Errorf("a receipt that says no: %v", err)
	}
	if _, err := c.Send(t.Context(), other, asked); !errors.Is(err, ErrBuilt) {
		t.Errorf("a body of another sender: %v", err)
	}
}
