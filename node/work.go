// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"os"

	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/cards"
	"github.com/openledger/openledger/node/checker"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/rpc/api"
)

// startWork starts the node's duties beside the chain.
func (n *Node) startWork(ctx context.Context) {
	n.spawn(func() { n.out.run(ctx) })
	n.spawn(func() { n.resend(ctx) })
	n.spawn(func() { n.eachBlock(ctx, nil, n.retryEarly) })
	n.spawn(func() { n.announceAgain(ctx) })
	n.spawn(func() { n.askHeights(ctx) })
	if n.cfg.Operator.IsZero() {
		return
	}
	n.spawn(func() { n.eachBlock(ctx, []string{"model"}, n.turn("serve", n.gateway.Load)) })
	n.spawn(func() { n.runTill(ctx) })
	if !n.cfg.Validator.IsZero() {
		n.spawn(func() { n.eachBlock(ctx, nil, n.turn("evidence", n.punish)) })
		n.spawn(func() { n.eachBlock(ctx, nil, n.turn("ready", n.sayReady)) })
	}
	w := n.cfg.Settings.Work
	if w.Worker || w.Checker {
		n.spawn(func() { n.cards.Run(ctx) })
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

// openCards prepares the cards that the owner offers; Run opens them.
func (n *Node) openCards() error {
	if w := n.cfg.Settings.Work; n.cfg.Settings.GPU.Devices != "off" && (n.cfg.Operator.IsZero() || !w.Worker && !w.Checker) {
		n.log.Warn("the cards stay closed: this node takes no tasks; set work.worker or work.checker, and work.key")
	}
	exe, err := os.Executable()
	if err != nil && n.cfg.Settings.GPU.Devices != "off" {
		n.log.Warn("no card can be used: this program does not know its own file", "err", err)
	}
	n.cards, err = cards.New(cards.Config{Settings: n.cfg.Settings.GPU, Host: cards.Machine{Exe: exe}, Clock: n.clock, Log: n.log})
	return err
}

// cardStatus lists the cards that the owner offers.
func (n *Node) cardStatus() (list []api.Card, warnings []string) {
	all, none := n.cards.Status()
	list, warnings = []api.Card{}, []string{}
	for _, s := range all {
		list = append(list, api.Card{Index: s.Index, Name: s.Name, Class: s.Class, UUID: s.UUID, Memory: s.Memory, Share: s.Share,
			State: string(s.State), Why: s.Why, Task: s.Task, Temperature: s.Temperature})
	}
	if none != "" {
		warnings = append(warnings, "no card works: "+none)
	}
	return list, warnings
}
