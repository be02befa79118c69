// SPDX-License-Identifier: Apache-2.0

package member

import (
	"sync"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
)

// gateFrames bounds the frames that wait behind a closed gate. The newest stay:
// older ones are repeated if they still matter (CONS-24).
const gateFrames = 1_024

// gate holds back everything with an own signature until enough validators were
// asked whether they know of a word of this key that its log does not hold
// (CONS-45). It is safe for concurrent use.
type gate struct {
	mu     sync.Mutex
	open   bool
	frames [][]byte
	known  map[said]bool // own words in the log when it was opened
	self   int           // own index in the set of epoch
	epoch  uint64
	root   uint64 // view up to which all was final then
	bound  uint64 // view up to which nothing is signed
}

// said is something that a key signs.
type said struct {
	kind        cert.Kind
	epoch, view uint64
	block       header.Hash
}

// know notes the words of a log, and closes the gate, unless it is to stay open or
// there is nobody to ask.
func (g *gate) know(core *consensus.Config, records []consensus.Record, open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open, g.frames, g.known = open || core.Set.Len() == 1, nil, map[said]bool{}
	g.self, g.epoch, g.root, g.bound = core.Set.Index(core.Key.Public()), core.Set.Epoch(), core.Root.Header.View, core.NoSignUpTo
	if core.Root.Header.Epoch != g.epoch {
		g.root = 0
	}
	for _, r := range records {
		m, err := msg.Decode(r.Data)
		if err == nil && m.Vote != nil && r.Kind != consensus.RecordCert {
			g.known[said{m.Vote.Kind, r.Epoch, r.View, m.Vote.Hash()}] = true
		}
	}
}

// knows reports whether the log holds the vote of this key in a certificate of the
// epoch, or need not.
func (g *gate) knows(q *cert.Certificate) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return q.Epoch == g.epoch && q.View <= max(g.root, g.bound) || g.known[said{q.Kind.Vote(), q.Epoch, q.View, q.Hash()}]
}

// pass reports whether a frame may leave now; if not it is kept.
func (g *gate) pass(frame []byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open {
		if len(g.frames) == gateFrames {
			g.frames = g.frames[1:]
		}
		g.frames = append(g.frames, frame)
	}
	return g.open
}

// lets reports whether an answer to another validator may leave now: nothing with
// an own signature that the log did not hold before.
func (g *gate) lets(frame []byte) bool {
	if g.isOpen() {
		return true
	}
	m, err := msg.Decode(frame)
	return err == nil && m.Cert != nil && (!m.Cert.Has(g.self) || g.knows(m.Cert))
}

// isOpen reports whether own signatures may leave.
func (g *gate) isOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// release opens the gate and returns the frames behind it.
func (g *gate) release() [][]byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	frames := g.frames
	g.open, g.frames = true, nil
	return frames
}
