// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/exec"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/events"
	"github.com/openledger/openledger/node/mempool"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/rpc/api"
)

// finalWait is how long tx_submit waits for finality (RPC-06).
const finalWait = 30 * time.Second

// TxSubmit implements api.TxBackend.
func (n *Node) TxSubmit(ctx context.Context, p api.TxSubmitParams) (api.TxStatus, error) {
	out, errs := n.TxSubmitAll(ctx, []api.TxSubmitParams{p})
	return out[0], errs[0]
}

// TxSubmitAll implements api.TxBackend: all are admitted as one unit, then each is
// waited for.
func (n *Node) TxSubmitAll(ctx context.Context, list []api.TxSubmitParams) ([]api.TxStatus, []error) {
	out, errs := make([]api.TxStatus, len(list)), make([]error, len(list))
	raws := make([][]byte, len(list))
	waits := make([]<-chan api.TxStatus, len(list))
	for i, p := range list {
		raws[i] = p.Bytes
		switch p.Wait {
		case "none", "mempool":
		case "", "final":
			s, err := tx.Decode(p.Bytes)
			if err != nil {
				raws[i] = nil // which admission refuses with the same error
				errs[i] = clientError(err)
				continue
			}
			done, cancel := n.waiters.add(s.Body.ID(n.chain.Env().ChainID)) // before it can be final
			defer cancel()
			waits[i] = done
		default:
			raws[i] = nil
			errs[i] = api.BadParams("wait", "use none, mempool or final")
		}
	}
	ids, refused := n.submitAll(ctx, raws)
	for i, err := range refused {
		switch {
		case errs[i] != nil:
		case err != nil && !errors.Is(err, mempool.ErrKnown): // sent before: wait for it
			out[i], errs[i] = n.refusal(ctx, ids[i], err)
			waits[i] = nil
		default:
			out[i] = api.TxStatus{TxID: ids[i], Status: "pending"}
		}
	}
	n.await(ctx, waits, ids, out, errs)
	return out, errs
}

// refusal answers a submission that was not admitted: it may be final already.
func (n *Node) refusal(ctx context.Context, id tx.ID, err error) (api.TxStatus, error) {
	if id != (tx.ID{}) {
		if got, e := n.TxGet(ctx, api.TxGetParams{TxID: id}); e == nil && got.Status == "final" {
			return got, nil
		}
	}
	return api.TxStatus{}, clientError(err)
}

// await fills in what becomes final while somebody waits for it.
func (n *Node) await(ctx context.Context, waits []<-chan api.TxStatus, ids []tx.ID, out []api.TxStatus, errs []error) {
	ctx, stop := context.WithTimeout(ctx, finalWait)
	defer stop()
	for i, done := range waits {
		if done == nil || errs[i] != nil {
			continue
		}
		got, err := wait(ctx, done)
		if err != nil {
			out[i], errs[i] = api.TxStatus{}, notFinal(ids[i])
			continue
		}
		out[i] = got
	}
}

// submit is submitAll for one.
func (n *Node) submit(ctx context.Context, raw []byte) error {
	_, errs := n.submitAll(ctx, [][]byte{raw})
	return errs[0]
}

// submitAll admits raw bytes. A validator puts them into a batch of its own
// (CONS-26); another node gossips them, again and again while they wait.
func (n *Node) submitAll(ctx context.Context, raws [][]byte) ([]tx.ID, []error) {
	ids, errs := n.admitAll(raws, true)
	if n.member.Driver() != nil {
		return ids, errs
	}
	for i, err := range errs {
		if err == nil {
			n.out.sent(ids[i])
			errs[i] = n.out.publish(ctx, n.topics.tx, raws[i])
		}
	}
	return ids, errs
}

// TxBuild implements api.TxBackend.
func (n *Node) TxBuild(_ context.Context, p api.TxBuildParams) (api.TxBuilt, error) {
	kind, err := parseKind(p.Kind)
	if err != nil {
		return api.TxBuilt{}, api.BadParams("kind", err.Error())
	}
	payload, err := tx.ParsePayload(kind, p.Fields)
	if err != nil {
		return api.TxBuilt{}, api.BadParams("fields", err.Error())
	}
	if err := payload.Check(); err != nil {
		return api.TxBuilt{}, clientError(err)
	}
	v, err := n.view()
	if err != nil {
		return api.TxBuilt{}, err
	}
	params, err1 := state.GetParams(v)
	clock, err2 := state.GetClock(v)
	account, nonce, err3 := n.nextNonce(p.Sender)
	if err := errors.Join(err1, err2, err3); err != nil {
		return api.TxBuilt{}, err
	}
	if p.Nonce != nil {
		nonce = *p.Nonce
	}
	b := tx.Body{Kind: kind, Sender: p.Sender, Nonce: nonce, Tip: p.Tip, ValidUntil: clock.Height + params.ValidAhead/2, Payload: payload}
	if b.MaxFee, err = suggestFee(b, params, clock); err != nil {
		return api.TxBuilt{}, clientError(err)
	}
	chainID := n.chain.Env().ChainID
	return api.TxBuilt{Bytes: b.Bytes(), SignBytes: b.SigningBytes(chainID), TxID: b.ID(chainID), Nonce: nonce, MaxFee: b.MaxFee,
		ValidUntil: b.ValidUntil, Reveal: account.Auth == nil}, nil
}

// nextNonce returns an account and the first nonce that neither it nor a waiting
// transaction has used.
func (n *Node) nextNonce(a keys.Address) (state.Account, uint64, error) {
	for {
		height := n.chain.Head().Height
		v, err := n.chain.ViewAt(height)
		if err != nil {
			return state.Account{}, 0, err
		}
		account, err := state.GetAccount(v, a)
		if err != nil {
			return state.Account{}, 0, err
		}
		_, nonce := n.pool.OfSender(a, account.Nonce)
		if n.chain.Head().Height == height { // else the pool may have dropped what the account does not count yet
			return account, nonce, nil
		}
	}
}

// envelopeBytes is what signature and keys add to a body, generously.
const envelopeBytes = 160

// suggestFee covers the fee at four times the present base fee.
func suggestFee(b tx.Body, p state.Params, c state.Clock) (fixed.Amount, error) {
	weight := p.KindWeight + 4*uint64(len(b.Bytes())+envelopeBytes) + 200 + 600*b.Payload.Writes()
	if x, ok := b.Payload.(interface{ Extra() uint64 }); ok {
		weight += x.Extra()
	}
	fee, err := fixed.MulDiv(weight, 4*uint64(c.BaseFee), 1)
	if err != nil {
		return 0, tx.Errorf(tx.TxArith, "fee overflows")
	}
	return fixed.Add(fixed.Amount(fee), b.Tip)
}

// parseKind reads a kind by name, in any case.
func parseKind(name string) (tx.Kind, error) {
	for i := range tx.Kinds {
		if strings.EqualFold(tx.Kinds[i].Name, name) {
			return tx.Kinds[i].Kind, nil
		}
	}
	return tx.ParseKind(name)
}

// TxSimulate implements api.TxBackend.
func (n *Node) TxSimulate(_ context.Context, p api.TxBytes) (api.TxSimulated, error) {
	s, err := tx.Decode(p.Bytes)
	if err != nil {
		return api.TxSimulated{}, clientError(err)
	}
	t, err := tx.Verify(n.chain.Env().ChainID, s)
	if err != nil {
		return api.TxSimulated{}, clientError(err)
	}
	v, err := n.view()
	if err != nil {
		return api.TxSimulated{}, err
	}
	out, err := exec.Simulate(v, n.chain.Env(), n.clock.Wall(), []tx.Verified{t})
	if err != nil {
		return api.TxSimulated{}, err
	}
	return api.TxSimulated{Receipt: receiptView(0, out.Receipts[len(out.Receipts)-1])}, nil
}

func receiptView(height uint64, r ledger.Receipt) api.TxReceipt {
	return api.TxReceipt{Code: r.Code.String(), Number: int(r.Code), Fee: r.Fee, Events: events.FromReceipt(height, r)}
}

// TxGet implements api.TxBackend.
func (n *Node) TxGet(_ context.Context, p api.TxGetParams) (api.TxStatus, error) {
	if raw := n.pool.Get(p.TxID); raw != nil {
		return api.TxStatus{TxID: p.TxID, Status: "pending", Bytes: raw}, nil
	}
	height, index, err := n.store.TxLocation(p.TxID)
	if errors.Is(err, store.ErrNotFound) {
		return api.TxStatus{}, api.NotFound("transaction " + p.TxID.String())
	}
	if err != nil {
		return api.TxStatus{}, err
	}
	receipts, err := n.chain.Receipts(height)
	if err != nil {
		return api.TxStatus{}, err
	}
	if len(receipts) > 0 && receipts[0].System() {
		receipts = receipts[1:]
	}
	if int(index) >= len(receipts) || receipts[index].TxID != p.TxID {
		return api.TxStatus{}, fmt.Errorf("%w: receipt of %v at height %d", store.ErrCorrupt, p.TxID, height)
	}
	view := receiptView(height, receipts[index])
	out := api.TxStatus{TxID: p.TxID, Status: "final", Height: height, Index: uint64(index), Receipt: &view}
	out.Bytes, err = n.rawTx(height, index)
	return out, err
}

// rawTx returns the bytes of the transaction at an index of a block.
func (n *Node) rawTx(height uint64, index uint32) ([]byte, error) {
	batches, err := n.chain.Batches(height)
	if err != nil {
		return nil, err
	}
	at := int(index)
	for _, b := range batches {
		if at < len(b.Txs) {
			return b.Txs[at], nil
		}
		at -= len(b.Txs)
	}
	return nil, fmt.Errorf("%w: transaction %d of height %d", store.ErrCorrupt, index, height)
}

// blockTxs decodes the transactions of a committed block.
func (n *Node) blockTxs(height uint64) ([]tx.Signed, error) {
	batches, err := n.chain.Batches(height)
	if err != nil {
		return nil, err
	}
	var out []tx.Signed
	for _, b := range batches {
		for _, raw := range b.Txs {
			s, err := tx.Decode(raw)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", store.ErrCorrupt, err)
			}
			out = append(out, s)
		}
	}
	return out, nil
}

// TxDecode implements api.TxBackend.
func (n *Node) TxDecode(_ context.Context, p api.TxBytes) (api.TxDecoded, error) {
	s, err := tx.Decode(p.Bytes)
	if err != nil {
		return api.TxDecoded{}, clientError(err)
	}
	b := s.Body
	fields, err := json.Marshal(b.Payload)
	return api.TxDecoded{TxID: b.ID(n.chain.Env().ChainID), Kind: b.Kind.String(), Sender: b.Sender, Nonce: b.Nonce, MaxFee: b.MaxFee,
		Tip: b.Tip, ValidUntil: b.ValidUntil, Fields: fields, Signed: len(s.Sigs) > 0}, err
}

// TxPending implements api.TxBackend.
func (n *Node) TxPending(_ context.Context, p api.TxPendingParams) (api.TxPending, error) {
	ids := n.pool.IDs(p.Sender, api.Page{Limit: p.Limit}.Size())
	if ids == nil {
		ids = []tx.ID{}
	}
	return api.TxPending{Count: n.pool.Len(), Items: ids}, nil
}

// TxFee implements api.TxBackend.
func (n *Node) TxFee(context.Context, api.Empty) (api.TxFee, error) {
	v, err := n.view()
	if err != nil {
		return api.TxFee{}, err
	}
	params, err1 := state.GetParams(v)
	clock, err2 := state.GetClock(v)
	if err := errors.Join(err1, err2); err != nil {
		return api.TxFee{}, err
	}
	typical, err := suggestFee(tx.Body{Payload: &tx.Transfer{}}, params, clock)
	return api.TxFee{BaseFee: clock.BaseFee, Typical: typical / 4}, err
}

// FaucetRequest implements api.TxBackend: the operator's key asks the faucet for
// the address.
func (n *Node) FaucetRequest(ctx context.Context, p api.FaucetParams) (api.TxStatus, error) {
	if n.cfg.Operator.IsZero() {
		return api.TxStatus{}, api.Service("NOT_TESTNET", "this node has no key that could ask the faucet", "ask another node, or send a FaucetDrip with openledger tx build")
	}
	got, err := n.sendOwn(ctx, &tx.FaucetDrip{To: p.Address})
	return got, clientError(err)
}

// buildOwn builds a transaction of the operator's account.
func (n *Node) buildOwn(ctx context.Context, payload tx.Payload) (api.TxBuilt, error) {
	fields, err := json.Marshal(payload)
	if err != nil {
		return api.TxBuilt{}, err
	}
	return n.TxBuild(ctx, api.TxBuildParams{Kind: payload.Kind().String(), Fields: fields, Sender: n.operator()})
}

// signOwn builds and signs a transaction of the operator's account.
func (n *Node) signOwn(ctx context.Context, payload tx.Payload) ([]byte, error) {
	built, err := n.buildOwn(ctx, payload)
	if err != nil {
		return nil, err
	}
	b := tx.Body{Nonce: built.Nonce, MaxFee: built.MaxFee, ValidUntil: built.ValidUntil, Payload: payload}
	return tx.Sign(n.chain.Env().ChainID, b, n.cfg.Operator).Encode(), nil
}

// flatten lists the fields of a parameter struct by JSON name, nested ones with
// a dot.
func flatten(prefix string, v any) []api.Param {
	var out []api.Param
	rv := reflect.ValueOf(v)
	for i := range rv.NumField() {
		f := rv.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		name := prefix + strings.Split(f.Tag.Get("json"), ",")[0]
		if f.Type.Kind() == reflect.Struct {
			out = append(out, flatten(name+".", rv.Field(i).Interface())...)
			continue
		}
		out = append(out, api.Param{Name: name, Value: fmt.Sprint(rv.Field(i).Interface())})
	}
	return out
}
