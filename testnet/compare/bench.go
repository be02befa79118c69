// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/testnet/compare/load"
	"github.com/openledger/openledger/testnet/compare/measure"
	"github.com/openledger/openledger/testnet/compare/ours"
	"github.com/openledger/openledger/testnet/compare/peer"
	"github.com/openledger/openledger/testnet/compare/proc"
)

const validators = 4

// network is a running network of either kind.
type network interface {
	load.Chain
	Group() *proc.Group
	ChainID() [32]byte
	Nonce(context.Context, keys.Address) (uint64, error)
	Stop()
}

// side is one of the opponents.
type side struct {
	name  string
	start func(ctx context.Context, dir string) (network, error)
}

// bench runs the steps and keeps what they measured.
type bench struct {
	options
	say   io.Writer
	raw   io.Writer
	purse *load.Purse
	doc   genesis.Doc // the ledger of the peer
	self  string
	nets  int
	place proc.Place // of the networks to come
	pair  int        // the one that runs, from 1 on; 0: none
	notes []string

	ours, tuned, standard, paced side
	runs                         []measure.Run
	certs                        measure.Certs
	votes                        []measure.Bench
	areas                        []measure.Area // of the profile
	profiled                     measure.Run
}

func newBench(o options, say, raw io.Writer) (*bench, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if o.binary, err = filepath.Abs(o.binary); err != nil {
		return nil, err
	}
	if _, err := os.Stat(o.binary); err != nil {
		return nil, fmt.Errorf("%w; make build makes it", err)
	}
	b := &bench{options: o, say: say, raw: raw, purse: load.NewPurse(o.senders), self: self}
	if _, b.doc, err = ours.Document(b.plan(filepath.Join(o.dir, "document"))); err != nil {
		return nil, err
	}
	b.ours = side{"openledger", func(ctx context.Context, dir string) (network, error) { return ours.Start(ctx, b.plan(dir)) }}
	b.tuned, b.standard, b.paced = b.peer(peer.Tuned), b.peer(peer.Default), b.peer(peer.Paced)
	return b, nil
}

// plan is a network of ours at the present place.
func (b *bench) plan(dir string) ours.Plan {
	return ours.Plan{Dir: dir, Program: b.binary, Validators: validators, BasePort: b.port(), Grants: b.purse.Grants(), Place: b.place}
}

func (b *bench) peer(p peer.Profile) side {
	return side{"cometbft " + string(p), func(ctx context.Context, dir string) (network, error) {
		return peer.Start(ctx, peer.Plan{Dir: dir, Program: b.self, Command: peerNode, Validators: validators, BasePort: b.port(), Profile: p, Doc: b.doc, Place: b.place})
	}}
}

// port takes turns, so that no network waits for ports of the last one.
func (b *bench) port() int { return b.basePort + b.nets%10*10 }

// on starts a fresh network of a side, runs f and removes the network.
func (b *bench) on(ctx context.Context, s side, f func(network, *load.Purse) error) error {
	b.settle(ctx)
	n, dir, err := b.start(ctx, s)
	if err != nil {
		return err
	}
	defer n.Stop()
	if err := f(n, b.purse.Fresh()); err != nil {
		return fmt.Errorf("%s: %w (logs in %s)", s.name, err, dir)
	}
	n.Stop()
	return os.RemoveAll(dir)
}

// start makes a network; if a port is taken, which no program can know before,
// again with others.
func (b *bench) start(ctx context.Context, s side) (n network, dir string, err error) {
	for range 3 {
		b.nets++
		dir = filepath.Join(b.dir, fmt.Sprintf("net%d", b.nets))
		if err = os.MkdirAll(dir, 0o755); err != nil {
			return nil, dir, err
		}
		if n, err = s.start(ctx, dir); err == nil || ctx.Err() != nil {
			break
		}
		fmt.Fprintln(b.say, "starting again:", err) // its logs stay
	}
	return n, dir, err
}

// settle waits until the machine has nothing left to do, for a few seconds at
// most: the last network's files go to disk, other work may end.
func (b *bench) settle(ctx context.Context) {
	for range 5 {
		before, err := proc.Read(nil)
		if err != nil || !sleep(ctx, time.Second) {
			return
		}
		after, err := proc.Read(nil)
		if err != nil {
			return
		}
		var r measure.Run
		if proc.Fill(&r, before, after); !r.Loud(b.quiet) {
			return
		}
	}
}

// note says what the report must not hide.
func (b *bench) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	fmt.Fprintln(b.say, n)
	b.notes = append(b.notes, n)
}

// shot is one load of a network.
type shot struct {
	what        string
	rate, batch int
	window      time.Duration
	nodes       []int
}

var everyNode = []int{0, 1, 2, 3}

// load runs a shot and keeps its figures.
func (b *bench) load(ctx context.Context, s side, n network, p *load.Purse, h shot) (measure.Run, error) {
	var samples []proc.Sample
	var failed error
	l := load.Load{Chain: n, ID: n.ChainID(), Purse: p, Nodes: h.nodes, Rate: h.rate, Batch: h.batch, For: h.window, Sample: func() {
		sample, err := proc.Read(n.Group().PIDs())
		if err != nil {
			failed = err
		}
		samples = append(samples, sample)
	}}
	epoch, before, err := skipped(ctx, n)
	if err != nil {
		return measure.Run{}, err
	}
	begin, err := proc.Read(n.Group().PIDs())
	if err != nil {
		return measure.Run{}, err
	}
	r, err := l.Run(ctx)
	if err == nil {
		err = failed
	}
	if err != nil {
		return r, err
	}
	if now, after, err := skipped(ctx, n); err != nil {
		return r, err
	} else if now == epoch { // else they were counted from two starts
		r.Skipped = after - before
	}
	if len(samples) == 2 {
		proc.Fill(&r, samples[0], samples[1])
	} else if end, err := proc.Read(n.Group().PIDs()); err == nil { // ended early: who else worked still matters
		proc.Fill(&r, begin, end)
		r.NodeCPU = nil
	}
	r.Who, r.What, r.Pair = s.name, h.what, b.pair
	if r.Refused == 0 && r.Missing == 0 && r.Aborted == "" {
		if err := b.audit(ctx, n, p); err != nil {
			return r, err
		}
	}
	return r, b.keep(r)
}

// skipped counts the views that gave no block in this epoch so far, of a network
// that tells.
func skipped(ctx context.Context, n network) (epoch uint64, views int, err error) {
	if v, ok := n.(interface {
		Skipped(context.Context) (uint64, int, error)
	}); ok {
		return v.Skipped(ctx)
	}
	return 0, 0, nil
}

// audit compares some accounts of the ledger with what was sent: a transfer that
// stands in a block but was refused there would show.
func (b *bench) audit(ctx context.Context, n network, p *load.Purse) error {
	for i := 0; i < p.Len(); i += p.Len() / 50 {
		got, err := n.Nonce(ctx, p.Addresses()[i])
		if err != nil {
			return err
		}
		if want := p.Nonce(i); got != want {
			return fmt.Errorf("account %d has executed %d transfers, %d were seen in blocks", i, got, want)
		}
	}
	return nil
}

// idle measures a network that has nothing to do.
func (b *bench) idle(ctx context.Context, s side, n network, d time.Duration) error {
	if !sleep(ctx, 3*time.Second) { // the start is over
		return ctx.Err()
	}
	h0, err := n.Height(ctx)
	if err != nil {
		return err
	}
	before, err := proc.Read(n.Group().PIDs())
	if err != nil {
		return err
	}
	if !sleep(ctx, d) {
		return ctx.Err()
	}
	after, err := proc.Read(n.Group().PIDs())
	if err != nil {
		return err
	}
	h1, err := n.Height(ctx)
	if err != nil {
		return err
	}
	r := measure.Run{Who: s.name, What: "idle", Window: d.Seconds(), Blocks: int(h1 - h0)}
	proc.Fill(&r, before, after)
	return b.keep(r)
}

// keep stores a run and prints its line.
func (b *bench) keep(r measure.Run) error {
	b.runs = append(b.runs, r)
	fmt.Fprintln(b.say, r)
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = b.raw.Write(append(line, '\n'))
	return err
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
