// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/checker"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/rpc/api"
)

// services implements worker.Services.
type services struct{ n *Node }

// Operator implements worker.Services.
func (s services) Operator() keys.Address { return s.n.operator() }

// View implements worker.Services.
func (s services) View() (state.View, error) { return s.n.view() }

// Content implements worker.Services.
func (s services) Content(ctx context.Context, object tx.ID, id content.ID, size uint64) ([]byte, error) {
	return s.n.Content(ctx, object, id, size)
}

// Keep implements worker.Services.
func (s services) Keep(b []byte) (content.ID, error) {
	id, _, err := s.n.blobs.Put(bytes.NewReader(b))
	return id, err
}

// Send implements worker.Services. One transaction of the operator is built and
// admitted at a time, so that nonces do not collide.
func (s services) Send(ctx context.Context, payload tx.Payload) error {
	s.n.own.Lock()
	raw, err := s.n.signOwn(ctx, payload)
	if err != nil {
		s.n.own.Unlock()
		return err
	}
	sent, err := tx.Decode(raw)
	if err != nil {
		s.n.own.Unlock()
		return err
	}
	id := sent.Body.ID(s.n.chain.Env().ChainID)
	done, cancel := s.n.waiters.add(id)
	defer cancel()
	err = s.n.submit(ctx, raw)
	s.n.own.Unlock()
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, finalWait)
	defer stop()
	if err := wait(ctx, done); err != nil {
		return notFinal(id)
	}
	got, err := s.n.TxGet(ctx, api.TxGetParams{TxID: id})
	if err == nil && got.Receipt != nil && got.Receipt.Number != 0 {
		err = tx.Errorf(tx.Code(got.Receipt.Number), "refused at height %d", got.Height)
	}
	return err
}

// Local implements worker.Services.
func (s services) Local() *store.Local { return s.n.store.Local() }

// startWork starts the node's duties beside the chain.
func (n *Node) startWork(ctx context.Context) {
	n.spawn(func() { n.out.run(ctx) })
	n.spawn(func() { n.eachBlock(ctx, nil, n.retryEarly) })
	if n.cfg.Operator.IsZero() {
		return
	}
	n.spawn(func() { n.eachBlock(ctx, []string{"model"}, n.turn("serve", n.gateway.Load)) })
	n.spawn(func() { n.runTill(ctx) })
	w := n.cfg.Settings.Work
	if w.Worker || w.Checker {
		n.spawn(func() { n.eachBlock(ctx, nil, n.registration()) })
	}
	if w.Worker {
		k := worker.New(services{n}, n.cfg.Lie, n.log)
		n.spawn(func() { n.eachBlock(ctx, []string{"task"}, n.operating(n.turn("worker", k.Turn))) })
	}
	if w.Checker {
		k := checker.New(services{n}, n.log)
		n.spawn(func() { n.eachBlock(ctx, []string{"task", "check"}, n.operating(n.turn("checker", k.Turn))) })
	}
}

// turn logs what a duty returns.
func (n *Node) turn(name string, f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := f(ctx)
		if err != nil && ctx.Err() == nil {
			n.log.Warn(name, "err", err)
		}
		return err
	}
}

// eachBlock runs f at the start and then whenever blocks with events of one of
// the topics are committed; without topics, or after an error, at the next block.
func (n *Node) eachBlock(ctx context.Context, topics []string, f func(context.Context) error) {
	at := api.Cursor{Height: n.chain.Head().Height, Seq: ^uint64(0)}
	failed := f(ctx)
	for n.events.Wait(ctx, at) == nil {
		head := api.Cursor{Height: n.chain.Head().Height, Seq: ^uint64(0)}
		if len(topics) > 0 && failed == nil {
			page, err := n.events.Events(ctx, api.EventsParams{From: at, Topics: topics, Limit: 1})
			if err != nil || len(page.Items) == 0 {
				at = head
				continue
			}
		}
		at = head
		failed = f(ctx)
	}
}

var errNotOperator = errors.New("the ledger does not know this operator yet")

// operating runs a duty once the ledger knows the operator; until then it asks
// to be called at the next block.
func (n *Node) operating(f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		v, err := n.view()
		if err != nil {
			return err
		}
		if _, err := state.GetOperator(v, n.operator()); err != nil {
			return errNotOperator
		}
		return f(ctx)
	}
}

// registration returns a duty of each block that makes the operator known to
// the ledger, with the least bond. It is tried until it succeeds: a node that
// has just joined lacks the newest state, and often the money. A reason is
// logged once.
func (n *Node) registration() func(context.Context) error {
	last := ""
	return func(ctx context.Context) error {
		err := n.register(ctx)
		if err != nil && err.Error() != last && ctx.Err() == nil {
			last = err.Error()
			n.log.Warn("cannot register as operator yet", "account", n.operator(), "err", err)
		}
		return err
	}
}

func (n *Node) register(ctx context.Context) error {
	v, err := n.view()
	if err != nil {
		return err
	}
	if _, err := state.GetOperator(v, n.operator()); err == nil {
		return nil
	}
	params, err := state.GetParams(v)
	if err != nil {
		return err
	}
	err = services{n}.Send(ctx, &tx.ComputeRegister{DeviceClass: "cpu", PeerID: []byte(n.host.ID()), Bond: params.ComputeBond})
	switch {
	case errors.Is(err, tx.ObjExists):
		return nil
	case err == nil:
		n.log.Info("registered as operator", "account", n.operator())
	}
	return err
}

// gpuReport lists the NVIDIA devices that the driver shows; it does not use them.
func gpuReport(setting string) []string {
	out := []string{}
	if setting != "auto" {
		return out
	}
	names, _ := filepath.Glob("/proc/driver/nvidia/gpus/*/information")
	for _, name := range names {
		if b, err := os.ReadFile(name); err == nil {
			out = append(out, firstLine(string(b)))
		}
	}
	return out
}
