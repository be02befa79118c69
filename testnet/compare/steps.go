// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/openledger/openledger/testnet/compare/lab"
	"github.com/openledger/openledger/testnet/compare/load"
	"github.com/openledger/openledger/testnet/compare/measure"
	"github.com/openledger/openledger/testnet/compare/proc"
)

// compare runs all steps and reports.
func compare(ctx context.Context, o options) error {
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "openledger-compare-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.dir = dir
	}
	raw := io.Discard
	if o.raw != "" {
		f, err := os.Create(o.raw)
		if err != nil {
			return err
		}
		defer f.Close()
		raw = f
	}
	b, err := newBench(o, os.Stdout, raw)
	if err != nil {
		return err
	}
	start := time.Now()
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"certificates", b.certStep}, {"votes", b.voteStep}, {"pairs", b.pairsStep}, {"default", b.defaultStep}, {"idle", b.idleStep},
		{"dead", b.deadStep}, {"slow", b.slowStep}, {"knee", b.kneeStep}, {"profile", b.profileStep},
	} {
		if !o.only[step.name] {
			b.notes = append(b.notes, "The step "+step.name+" was left out.")
			continue
		}
		fmt.Fprintf(b.say, "-- %s (%.0f s so far)\n", step.name, time.Since(start).Seconds())
		if err := step.do(ctx); err != nil {
			if ctx.Err() != nil {
				b.note("Interrupted in the step %s; what was measured until then follows.", step.name)
				break
			}
			b.note("The step %s ended with an error: %v.", step.name, err)
		}
	}
	return b.report(time.Since(start))
}

// pairsStep loads both networks in turn, the order changing from pair to pair. For
// pairs that other work spoiled half as many more are run.
func (b *bench) pairsStep(ctx context.Context) error {
	defer func() { b.pair = 0 }()
	for i, more := 0, b.pairs/2; i < b.pairs; i++ {
		b.pair++
		order := []side{b.ours, b.tuned}
		if i%2 == 1 {
			order[0], order[1] = order[1], order[0]
		}
		from := len(b.runs)
		for _, s := range order {
			if err := b.on(ctx, s, func(n network, p *load.Purse) error { return b.half(ctx, s, n, p, i == 0) }); err != nil {
				return err
			}
		}
		loud := func(r measure.Run) bool { return r.What == "load" && r.Loud(b.quiet) }
		if more > 0 && slices.ContainsFunc(b.runs[from:], loud) {
			more--
			i--
		}
	}
	return nil
}

// half is one side of a pair.
func (b *bench) half(ctx context.Context, s side, n network, p *load.Purse, first bool) error {
	if first {
		if err := b.syncs(ctx, s, n, p); err != nil {
			return err
		}
	}
	for _, rate := range b.rates {
		r, err := b.load(ctx, s, n, p, shot{"load", rate, batchOf(rate), b.window, everyNode})
		if err != nil {
			return err
		}
		if r.Aborted != "" || r.Refused > 0 || r.Missing > 0 {
			return nil // nonces have gaps now: this network carries nothing more
		}
	}
	return nil
}

// syncs counts the waits for a disk of one node while transfers come.
func (b *bench) syncs(ctx context.Context, s side, n network, p *load.Purse) error {
	const d = 6 * time.Second
	type count struct {
		calls  int
		blocks uint64
		err    error
	}
	got := make(chan count, 1)
	go func() {
		var c count
		if !sleep(ctx, load.Warm/2) {
			got <- count{err: ctx.Err()}
			return
		}
		h0, err := n.Height(ctx)
		if err == nil {
			c.calls, err = proc.Syncs(ctx, n.Group().PIDs()[1], d)
		}
		if c.err = err; err == nil {
			var h1 uint64
			h1, c.err = n.Height(ctx)
			c.blocks = h1 - h0
		}
		got <- c
	}()
	l := load.Load{Chain: n, ID: n.ChainID(), Purse: p, Nodes: everyNode, Rate: 100, Batch: 1, For: d}
	_, err := l.Run(ctx)
	c := <-got
	if err != nil {
		return err
	}
	if c.err != nil { // no strace, or not permitted: a figure less
		b.note("Waits for the disk of %s were not counted: %v.", s.name, c.err)
		return nil
	}
	return b.keep(measure.Run{Who: s.name, What: "sync", Window: d.Seconds(), Syncs: c.calls, Blocks: int(c.blocks)})
}

// defaultStep loads the peer as it ships, once.
func (b *bench) defaultStep(ctx context.Context) error {
	return b.on(ctx, b.standard, func(n network, p *load.Purse) error {
		_, err := b.load(ctx, b.standard, n, p, shot{"load", b.rates[0], batchOf(b.rates[0]), b.window, everyNode})
		return err
	})
}

func (b *bench) idleStep(ctx context.Context) error {
	for _, s := range []side{b.ours, b.tuned, b.paced} {
		err := b.on(ctx, s, func(n network, _ *load.Purse) error { return b.idle(ctx, s, n, min(2*b.window, time.Minute)) })
		if err != nil {
			return err
		}
	}
	return nil
}

// deadStep kills the last node and loads the others.
func (b *bench) deadStep(ctx context.Context) error {
	for _, s := range []side{b.ours, b.tuned} {
		err := b.on(ctx, s, func(n network, p *load.Purse) error {
			n.Group().Kill(validators - 1)
			if !sleep(ctx, 2*time.Second) {
				return ctx.Err()
			}
			_, err := b.load(ctx, s, n, p, shot{"dead", 300, 1, b.window, everyNode[:validators-1]})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// slowStep loads both over links of 50 ms that lose one frame of a hundred.
func (b *bench) slowStep(ctx context.Context) error {
	l, err := lab.New(validators, 50*time.Millisecond, 0.01, 1)
	if err != nil {
		return err
	}
	defer l.Close()
	b.place = l.Place()
	defer func() { b.place = proc.Place{} }()
	for _, s := range []side{b.ours, b.tuned} {
		err := b.on(ctx, s, func(n network, p *load.Purse) error {
			_, err := b.load(ctx, s, n, p, shot{"slow", 300, 1, b.window, everyNode})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// kneeStep searches the highest rate of each side. A network that failed a probe
// is not used again.
func (b *bench) kneeStep(ctx context.Context) error {
	for _, s := range []side{b.ours, b.tuned} {
		k := measure.NewKnee(2_000, b.most)
		window := min(max(b.window/2, 5*time.Second), 10*time.Second)
		for rate, more := k.Next(); more; {
			err := b.on(ctx, s, func(n network, p *load.Purse) error {
				for ; more; rate, more = k.Next() {
					r, err := b.load(ctx, s, n, p, shot{"knee", rate, 20, window, everyNode})
					if err != nil {
						return err
					}
					k.Record(rate, r.Passes())
					if !r.Passes() {
						rate, more = k.Next()
						return nil
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
