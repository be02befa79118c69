// SPDX-License-Identifier: Apache-2.0

package consensus

import (
	"fmt"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/merkle"
)

// restore takes back what this key has said and known (CONS-44). What is here
// may or may not have left before the crash; what is not here has not left,
// because nothing leaves before its record is synced. So the core repeats the
// recorded bytes and is free wherever there are none.
func (c *Core) restore(records []Record) {
	c.started, c.restoring = true, true
	for i := range records {
		r := &records[i]
		if r.Epoch != c.cfg.Set.Epoch() || r.View <= c.root.view {
			continue
		}
		if err := c.replay(r); err != nil {
			c.fail(fmt.Errorf("%w: number %d, kind %d of view %d: %w", ErrRecord, i, r.Kind, r.View, err))
			return
		}
	}
	c.restoring = false
	c.delta = c.cfg.Params.DeltaMS
	for i := range c.heard {
		c.hear(i, c.cur) // nobody is silent yet
	}
	c.entered, c.beat = c.now, c.now
	c.dirty = true
	if c.self >= 0 {
		c.out.Sync = len(records) > 0 // what was read must be there after the next crash too
		c.ask(FetchCert{From: c.root.view + 1, To: c.cur})
		if len(records) > 0 {
			c.repeat()
		}
	}
}

func (c *Core) replay(r *Record) error {
	switch r.Kind {
	case RecordEnter:
		c.cur = max(c.cur, r.View)
		return nil
	case RecordBlock:
		return c.replayBlock(r)
	case RecordPropose:
		if broken(mutResign) {
			return nil
		}
		var h header.Hash
		copy(h[:], r.Data)
		b := c.blocks[h]
		if b == nil || b.head.View != r.View {
			return fmt.Errorf("own proposal without its block")
		}
		w := c.at(r.View)
		w.first, w.own.proposal = b, b.prop.Push()
		c.cur = max(c.cur, r.View)
		return nil
	case RecordNotarize, RecordNullify, RecordFinalize, RecordCert:
		m, err := msg.Decode(r.Data)
		if err != nil {
			return err
		}
		return c.replayVote(r, m)
	}
	return fmt.Errorf("unknown kind")
}

func (c *Core) replayVote(r *Record, m *msg.Message) error {
	if r.Kind == RecordCert {
		if m.Cert == nil || m.Cert.View != r.View {
			return fmt.Errorf("not a certificate of the view")
		}
		c.adopt(m.Cert, false)
		return nil
	}
	v := m.Vote
	if v == nil || v.View != r.View || voteRecord(v.Kind) != r.Kind || int(v.Signer) != c.self {
		return fmt.Errorf("not an own vote of the view")
	}
	if broken(mutForgetVotes) {
		return nil
	}
	w := c.at(v.View)
	*w.signed(v.Kind) = m.Bytes()
	if v.Kind == cert.Notarize {
		w.own.notarized = v.Hash()
	}
	c.cur = max(c.cur, v.View)
	c.count(v)
	return nil
}

func (c *Core) replayBlock(r *Record) error {
	m, err := msg.Decode(r.Data)
	if err != nil {
		return err
	}
	p := m.Proposal
	if p == nil || p.Header.View != r.View || len(p.Leaves) == 0 || merkle.Root(p.Leaves) != p.Header.Justification {
		return fmt.Errorf("not a block of the view")
	}
	leaves := decodeLeaves(p.Leaves)
	for _, q := range leaves {
		if q != nil {
			c.adopt(q, false)
		}
	}
	c.learn(p, r.Data, p.Header.Hash(), leaves).recorded = true
	return nil
}

// decodeLeaves reads leaves that were checked before; what cannot be read is
// nil, which no rule accepts.
func decodeLeaves(raw [][]byte) []*cert.Certificate {
	out := make([]*cert.Certificate, len(raw))
	for i, b := range raw {
		if q, err := cert.Decode(b); err == nil {
			out[i] = q
		}
	}
	return out
}

func justification(leaves [][]byte) [32]byte { return merkle.Root(leaves) }
