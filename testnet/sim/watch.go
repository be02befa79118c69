// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/member"
	"github.com/openledger/openledger/node/votelog"
)

// watched is a log of which the witness knows what is on stable storage.
type watched struct {
	*votelog.Log
	m       *machine
	pending [][32]byte // own votes that are not durable yet, by hash
}

func (p *process) openLog(cfg *driver.Config) (driver.Log, error) {
	l, err := member.OpenLog(p.m.votelog())(cfg)
	if err != nil {
		return nil, err
	}
	log, ok := l.(*votelog.Log)
	if !ok {
		return nil, fmt.Errorf("a log of type %T", l)
	}
	w := &watched{Log: log, m: p.m}
	for _, r := range cfg.Records {
		w.note(r)
	}
	return w, nil
}

func (w *watched) note(r consensus.Record) {
	if r.Kind >= consensus.RecordNotarize && r.Kind <= consensus.RecordFinalize {
		w.pending = append(w.pending, ledgerHash(r.Data))
	}
}

// Append implements driver.Log.
func (w *watched) Append(kind uint8, payload []byte) error {
	if votelog.Words(kind) {
		if r, err := consensus.DecodeRecord(payload); err == nil {
			w.note(r)
		}
	}
	return w.Log.Append(kind, payload)
}

// Sync implements driver.Log.
func (w *watched) Sync() error {
	if err := w.Log.Sync(); err != nil {
		return err
	}
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	for _, h := range w.pending {
		w.m.durable[h] = true
	}
	w.pending = nil
	return nil
}

// leaves asserts that an own vote is on stable storage before it leaves (I6).
func (m *machine) leaves(frame []byte) {
	if m.fault != Honest {
		return
	}
	if d, err := msg.Decode(frame); err != nil || d.Vote == nil {
		return
	}
	m.mu.Lock()
	ok := m.durable[ledgerHash(frame)]
	m.mu.Unlock()
	if !ok {
		m.s.fail("I6-durable", "machine %d sends a vote that is not on disk", m.id)
	}
}
