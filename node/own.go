// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"time"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/mempool"
	"github.com/openledger/openledger/rpc/api"
)

// Patience with the operator's own transactions.
const (
	ownTries = 5
	ownWait  = 15 * time.Second // for a transaction to be included, then it is raised
	ownLook  = time.Second      // how often it is looked whether it still waits
)

// sendOwn submits a payload from the operator's account and waits until it is
// final. A transaction that is not included in time blocks every later one of the
// account, so it is replaced by the same payload at the same nonce for a higher
// fee. One that the pool no longer has, because another took its nonce or it
// expired, is built anew: it had no effect. Errors: *api.Error NOT_FINAL, those
// of admission.
func (n *Node) sendOwn(ctx context.Context, payload tx.Payload) (api.TxStatus, error) {
	s := &sending{n: n, payload: payload}
	defer func() { s.cancel() }()
	for try := range ownTries {
		if err := s.submit(ctx); err != nil && (try == 0 || !passing(err)) {
			return api.TxStatus{}, err
		}
		got, err := s.await(ctx)
		if err != nil || got.Status == "final" {
			return got, err
		}
	}
	return api.TxStatus{}, notFinal(s.ids[len(s.ids)-1])
}

// passing reports an error of a repeated submission after which the first one may
// still be included.
func passing(err error) bool {
	var refused *tx.Error
	return errors.As(err, &refused) || errors.Is(err, mempool.ErrKnown) || errors.Is(err, mempool.ErrFull)
}

// sending is one payload on its way.
type sending struct {
	n       *Node
	payload tx.Payload
	ids     []tx.ID // of all forms that were submitted, the newest last
	done    []<-chan api.TxStatus
	undo    []func()
}

func (s *sending) cancel() {
	for _, f := range s.undo {
		f()
	}
}

// submit builds a transaction, or raises the one that waits. One is built and
// admitted at a time, so that nonces do not collide.
func (s *sending) submit(ctx context.Context) error {
	s.n.own.Lock()
	defer s.n.own.Unlock()
	raw, err := s.next(ctx)
	if err != nil {
		return err
	}
	signed, err := tx.Decode(raw)
	if err != nil {
		return err
	}
	id := signed.Body.ID(s.n.chain.Env().ChainID)
	done, cancel := s.n.waiters.add(id)
	s.ids, s.done, s.undo = append(s.ids, id), append(s.done, done), append(s.undo, cancel)
	return s.n.submit(ctx, raw)
}

func (s *sending) next(ctx context.Context) ([]byte, error) {
	if len(s.ids) > 0 {
		if raw := s.n.pool.Get(s.ids[len(s.ids)-1]); raw != nil {
			return s.n.raise(ctx, raw)
		}
	}
	return s.n.signOwn(ctx, s.payload)
}

// raise signs a waiting transaction of the operator again, for a higher fee.
func (n *Node) raise(ctx context.Context, raw []byte) ([]byte, error) {
	old, err := tx.Decode(raw)
	if err != nil {
		return nil, err
	}
	b := old.Body
	fresh, err := n.buildOwn(ctx, b.Payload)
	if err != nil {
		return nil, err
	}
	if b.Tip, err = fixed.Add(b.Tip, b.MaxFee/4+1); err != nil {
		return nil, err
	}
	if b.MaxFee, err = fixed.Add(max(b.MaxFee, fresh.MaxFee), b.Tip); err != nil {
		return nil, err
	}
	b.ValidUntil = max(b.ValidUntil, fresh.ValidUntil)
	return tx.Sign(n.chain.Env().ChainID, b, n.cfg.Operator).Encode(), nil
}

// await waits until a form is final; the status is not "final" when none is in
// time, or none waits any more.
func (s *sending) await(ctx context.Context) (api.TxStatus, error) {
	newest := s.done[len(s.done)-1]
	tick := time.NewTicker(ownLook)
	defer tick.Stop()
	late := time.NewTimer(ownWait)
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			return api.TxStatus{}, ctx.Err()
		case <-newest:
		case <-tick.C:
		case <-late.C:
			return s.look(ctx)
		}
		got, err := s.look(ctx)
		if err != nil || got.Status != "pending" {
			return got, err
		}
	}
}

// look finds the form that was executed. Status is "pending" while one waits, and
// empty if none does. A form that was included without being admitted was not
// executed.
func (s *sending) look(ctx context.Context) (api.TxStatus, error) {
	var out api.TxStatus
	for _, id := range s.ids {
		got, err := s.n.TxGet(ctx, api.TxGetParams{TxID: id})
		if err != nil {
			continue // not known: not executed
		}
		if got.Status == "final" && (got.Receipt.Number == 0 || got.Receipt.Fee > 0) {
			return got, nil
		}
		if got.Status == "pending" {
			out.Status = "pending"
		}
	}
	return out, ctx.Err()
}
