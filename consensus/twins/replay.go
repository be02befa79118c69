// SPDX-License-Identifier: Apache-2.0

package twins

import (
	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/header"
)

// longTime is more than any timer waits, in ms.
const longTime = 200_000

// replay runs one core through a history, with a driver that does everything at
// once and loses nothing.
type replay struct {
	x       *Explorer
	l       *local
	core    *consensus.Core
	now     uint64
	records []consensus.Record
	err     error
}

func (r *replay) run() error {
	r.start()
	for _, e := range r.l.history {
		switch r.now++; e {
		case timeout:
			r.now += longTime
			r.step(consensus.Timer{})
		case crash:
			r.l.crashed, r.l.decided = true, nil
			r.start()
		default:
			r.l.heard = append(r.l.heard, e)
			r.step(consensus.Message{Verified: r.x.items[e].v})
		}
	}
	if r.core != nil {
		r.l.view = r.core.View()
	}
	return r.err
}

func (r *replay) start() {
	c := r.x.Cache
	params := consensus.LocalParams()
	params.PaceMS, params.LagMS, params.DriftMS = 0, 1<<40, 1<<40 // time is not what is explored
	root := c.genesis
	roots := rootsOf(root.Header.Hash())
	root.StateRoot, root.ReceiptsRoot = roots[0], roots[1]
	core, err := consensus.New(consensus.Config{
		ChainID: c.chainID, Set: c.set, Seed: c.genesis.Header.Beacon, Key: c.keys[r.l.who], Root: root, Params: params,
	})
	if err != nil {
		r.err = err
		return
	}
	r.core = core
	r.step(consensus.Restored{Records: r.records})
	r.step(consensus.Work{Pending: true})
}

func (r *replay) step(e consensus.Event) {
	if r.err != nil {
		return
	}
	out := r.core.Step(consensus.Input{Now: r.now, Wall: wallBase, Event: e})
	if out.Err != nil {
		r.err = out.Err
		return
	}
	r.records = append(r.records, out.Append...)
	for _, raw := range out.Send {
		r.say(raw)
	}
	for i := range out.Decide {
		r.l.decided = append(r.l.decided, out.Decide[i].Block)
	}
	for _, q := range out.Requests {
		switch q := q.(type) {
		case consensus.Build:
			r.step(consensus.Built{View: q.View, Parent: q.Parent})
		case consensus.Fetch:
			if !q.Proposal {
				r.step(consensus.Available{Block: q.Block, Valid: true})
			}
		case consensus.Execute:
			roots := rootsOf(header.Hash(q.Block))
			r.step(consensus.Executed{Block: q.Block, StateRoot: roots[0], ReceiptsRoot: roots[1]})
		}
	}
}

// say writes down own votes and proposals, each once.
func (r *replay) say(raw []byte) {
	v, err := r.x.verify(raw)
	if err != nil {
		r.err = err
		return
	}
	switch m := v.Message(); {
	case m.Vote != nil && m.Vote.View <= exploreViews:
		for _, old := range r.l.votes {
			if old == string(raw) {
				return
			}
		}
		r.l.votes = append(r.l.votes, string(raw))
	case m.Proposal != nil:
		if i := r.x.intern(raw); i >= 0 {
			for _, old := range r.l.said {
				if old == i {
					return
				}
			}
			r.l.said = append(r.l.said, i)
		}
	}
}
