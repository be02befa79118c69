// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"context"
	"errors"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/node/driver"
	nodesync "github.com/openledger/openledger/node/sync"
	"github.com/openledger/openledger/p2p/peers"
)

// cut is a partition for a while: nothing passes from a machine of one side to
// one of the other, or only in one direction.
type cut struct {
	from, until time.Duration
	side        []bool // by machine
	oneWay      bool   // from false to true only
}

const (
	least    = time.Millisecond      // of any delay
	calm     = 20 * time.Millisecond // longest delay after Heal
	patience = 2 * time.Second       // for an answer that was lost
)

// reachable reports whether a frame passes at this moment.
func (s *Sim) reachable(from, to int) bool {
	now := s.now()
	for _, c := range s.cuts {
		if now >= c.from && now < c.until && c.side[from] != c.side[to] && (!c.oneWay || c.side[to]) {
			return false
		}
	}
	return true
}

// link decides what becomes of a frame: when each copy of it arrives, none if it is
// lost.
func (s *Sim) link(from, to int, frame []byte) []time.Duration {
	h := fnv.New64a()
	h.Write(frame)
	key := passage{from, to, h.Sum64()}
	s.mu.Lock()
	nth := s.passed[key]
	s.passed[key]++
	s.mu.Unlock()
	if !s.reachable(from, to) {
		return nil
	}
	r := s.dice("link", frame, uint64(from), uint64(to), nth)
	if s.healed() {
		return []time.Duration{least + upTo(r, calm)}
	}
	if r.Uint64N(1000) < s.p.Loss {
		return nil
	}
	out := []time.Duration{least + upTo(r, s.p.Delay)}
	if r.Uint64N(1000) < s.p.Repeat {
		out = append(out, least+upTo(r, 4*s.p.Delay))
	}
	return out
}

// passage names a frame on a link.
type passage struct {
	from, to int
	frame    uint64
}

// send brings a frame to a machine, as often as link says.
func (s *Sim) send(from, to *machine, frame []byte, arrive func()) {
	for _, after := range s.link(from.id, to.id, frame) {
		time.AfterFunc(after, func() {
			if s.reachable(from.id, to.id) {
				arrive()
			}
		})
	}
}

// validators implements driver.Network for a process.
type validators struct{ p *process }

// Broadcast implements driver.Network.
func (v validators) Broadcast(frame []byte, _ uint64, own bool) {
	m := v.p.m
	if own {
		m.leaves(frame)
	}
	for _, out := range m.twist(v.p, frame, own) {
		m.s.book.heard(m, v.p, out.frame)
		for _, to := range m.s.members(v.p.chain.Set()) {
			if to.vote.Public() == m.vote.Public() || out.keep != nil && !out.keep(to) {
				continue
			}
			m.s.send(m, to, out.frame, func() { to.receive(out.frame) })
		}
	}
}

// Linked implements driver.Network.
func (v validators) Linked() (out []keys.PublicKey) {
	m := v.p.m
	for _, to := range m.s.members(v.p.chain.Set()) {
		if to != m && m.s.reachable(m.id, to.id) && to.process() != nil {
			out = append(out, to.vote.Public())
		}
	}
	return out
}

// members are the machines of a set's validators, in its order.
func (s *Sim) members(set *valset.Set) (out []*machine) {
	for i := range set.Len() {
		key := set.Key(i)
		for _, m := range s.machines {
			if m.vote.Public() == key {
				out = append(out, m)
			}
		}
	}
	return out
}

var errUnreachable = errors.New("unreachable")

// Ask implements driver.Network.
func (v validators) Ask(ctx context.Context, key keys.PublicKey, protocol string, req []byte, each func([]byte) error) error {
	for _, to := range v.p.m.s.machines {
		if to.vote.Public() == key && to != v.p.m {
			return v.p.m.s.ask(ctx, v.p.m, to, protocol, req, each)
		}
	}
	return errUnreachable
}

// ask carries a request over and the answer back, each of which may be lost.
func (s *Sim) ask(ctx context.Context, m, to *machine, protocol string, req []byte, each func([]byte) error) error {
	if !s.pass(ctx, m, to, req) {
		return errUnreachable
	}
	p := to.process()
	if p == nil {
		return errUnreachable
	}
	var frames [][]byte
	collect := func(b []byte) error { frames = append(frames, b); return nil }
	var err error
	switch d := p.member.Driver(); {
	case protocol == nodesync.Protocol:
		err = nodesync.Serve(p.chain, req, collect)
	case d == nil || to.fault == Withhold && s.dice("withhold", req, uint64(m.id)).IntN(2) == 0:
		return errUnreachable
	case protocol == driver.ProtocolBatch:
		err = d.ServeBatches(req, collect)
	default:
		timely, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		err = d.ServeCerts(timely, req, func(b []byte) error {
			if !p.member.Lets(b) {
				return nil
			}
			return collect(b)
		})
	}
	if err != nil || !s.pass(ctx, to, m, append([]byte("answer"), req...)) {
		return errors.Join(errUnreachable, err)
	}
	for _, b := range frames {
		if protocol != nodesync.Protocol {
			s.book.heard(to, p, b)
		}
		if err := each(b); err != nil {
			return err
		}
	}
	return nil
}

// pass waits for one frame to arrive; false after a while if it does not.
func (s *Sim) pass(ctx context.Context, from, to *machine, frame []byte) bool {
	after := s.link(from.id, to.id, frame)
	d := patience
	if after != nil {
		d = after[0]
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return false
	}
	return after != nil
}

// source implements nodesync.Source for a process.
type source struct{ p *process }

func (x source) others() (out []*machine) {
	for _, to := range x.p.m.s.machines {
		if to != x.p.m && to.process() != nil && x.p.m.s.reachable(x.p.m.id, to.id) && x.p.m.s.reachable(to.id, x.p.m.id) {
			out = append(out, to)
		}
	}
	return out
}

// Peers implements nodesync.Source.
func (x source) Peers() (out []peers.ID) {
	for _, to := range x.others() {
		out = append(out, peers.ID(strconv.Itoa(to.id)))
	}
	return out
}

// Ask implements nodesync.Source.
func (x source) Ask(ctx context.Context, id peers.ID, protocol string, req []byte, each func([]byte) error) error {
	to, err := strconv.Atoi(string(id))
	if err != nil {
		return err
	}
	return x.p.m.s.ask(ctx, x.p.m, x.p.m.s.machines[to], protocol, req, each)
}

// Ahead implements nodesync.Source.
func (x source) Ahead(height uint64) bool {
	for _, to := range x.others() {
		if p := to.process(); p != nil && p.chain.Head().Height > height {
			return true
		}
	}
	return false
}

// Short implements nodesync.Source.
func (x source) Short(peers.ID, uint64) {}

// Punish implements nodesync.Source: no machine of the simulation lies about blocks.
func (x source) Punish(id peers.ID, _ float64) {
	x.p.m.s.fail("sync", "machine %d finds that %s lies", x.p.m.id, id)
}
