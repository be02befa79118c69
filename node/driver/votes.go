// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"sync"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/msg"
)

// votes is a memory of checked signatures for several goroutines. Most
// certificates are made of votes that were checked one by one before.
type votes struct {
	mu   sync.Mutex
	seen *msg.Votes
}

// Known implements msg.Memory.
func (s *votes) Known(c *cert.Certificate) msg.Known {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.Known(c)
}

func (s *votes) add(v msg.Verified) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.Add(v)
}

// own takes in a frame that this key has signed.
func (s *votes) own(frame []byte) {
	if len(frame) < 2 || cert.Kind(frame[1]) < cert.Notarize || cert.Kind(frame[1]) > cert.Finalize {
		return // no vote; the kind stands where msg.Decode looks for it
	}
	m, err := msg.Decode(frame)
	if err != nil || m.Vote == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.AddOwn(m.Vote)
}

// verify checks the signatures of a message that have not been checked before.
func (d *Driver) verify(m *msg.Message) (msg.Verified, error) {
	v, err := msg.VerifyWith(&d.votes, d.cfg.Core.Set, d.cfg.Core.ChainID, m)
	if err == nil {
		d.votes.add(v)
	}
	return v, err
}
