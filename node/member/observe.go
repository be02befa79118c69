// SPDX-License-Identifier: Apache-2.0

package member

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/votelog"
)

// Waits of a validator that asks the others.
const (
	questionWait  = 3 * time.Second // for one answer
	questionPause = 200 * time.Millisecond
)

// Abstaining says why a validator does not vote, and until when (CONS-45).
type Abstaining struct {
	// Lost is why its log cannot be trusted, while the node only follows; nil when a
	// new log was begun.
	Lost *votelog.Lost
	// Of an Epoch nothing is signed up to view Bound, but Nullify from the view of
	// that name on, if it is not 0.
	Epoch, Bound, Nullify uint64

	since uint64 // monotonic milliseconds
}

// Warning is the line for the operator.
func (a *Abstaining) Warning() string {
	if a.Lost != nil {
		return fmt.Sprintf("this validator does not vote: %v; it votes again, some views later, when other validators with a quorum of power have said how far they are; if they cannot, because this is the only validator or too many have lost their logs: openledger validator resume", a.Lost)
	}
	return fmt.Sprintf("this validator signs nothing up to view %d of epoch %d, because the record of what it had signed was not whole; it votes again after that; if the network stands still: openledger validator resume", a.Bound, a.Epoch)
}

// Abstains returns why this validator does not vote now, nil if it does or is none.
func (m *Member) Abstains() *Abstaining {
	a := m.abstains.Load()
	if a == nil || a.Lost != nil {
		return a
	}
	h, _, err := m.cfg.Chain.Header(m.cfg.Chain.Head().Height)
	if err == nil && (h.Epoch > a.Epoch || h.Epoch == a.Epoch && h.View >= a.Bound) {
		return nil
	}
	return a
}

// abstain notes that the log cannot be trusted. The node follows until observe has
// found out from where on it may vote.
func (m *Member) abstain(lost *votelog.Lost) {
	m.cfg.Log.Error("this validator observes: it may have signed what its log does not say", "reason", lost.Reason)
	m.abstains.Store(&Abstaining{Lost: lost, since: m.cfg.Driver.Clock.Now()})
	m.part.Store(&part{index: -1})
}

// observe follows the chain until others of a quorum of power have shown how far
// they are, and starts a new log with the order to sign nothing up to there
// (CONS-45).
func (m *Member) observe(ctx context.Context) error {
	following, cancel := context.WithCancel(ctx)
	defer cancel()
	var epoch, certified uint64
	asked := make(chan bool, 1)
	go func() {
		defer cancel()
		var ok bool
		epoch, certified, ok = m.question(following, false, func(*cert.Certificate) bool { return true })
		asked <- ok
	}()
	err := m.cfg.Syncer.Follow(following, func() bool { return false })
	cancel()
	if ok := <-asked; err != nil || !ok {
		return err
	}
	if err := m.cfg.Chain.Sync(); err != nil {
		return err
	}
	if err := m.Close(); err != nil {
		m.cfg.Log.Warn("close the write-ahead log", "err", err)
	}
	m.log = nil
	w := m.word.Swap(nil)
	bound, err := m.cfg.Restart(epoch, certified, w != nil && w.epoch == epoch)
	if err != nil {
		return err
	}
	m.cfg.Log.Warn("this validator starts a new log and signs nothing of earlier views", "epoch", epoch, "certified", certified, "up_to", bound)
	m.abstains.Store(nil)
	return nil
}

// question asks the other validators of the present epoch for their certificates
// until those that have answered have a quorum of power, this one counted if self
// is set, or, if it is not, the operator's word stands for that. It returns the
// highest view they show to be certified, and ok false if ctx ended or one shows a
// certificate with this key that knows denies.
func (m *Member) question(ctx context.Context, self bool, knows func(*cert.Certificate) bool) (epoch, certified uint64, ok bool) {
	var set *valset.Set
	var power uint64
	var answered []bool
	for {
		if now := m.cfg.Chain.Set(); set == nil || set.Epoch() != now.Epoch() {
			set, power, certified, answered = now, 0, 0, make([]bool, now.Len())
			if i := set.Index(m.cfg.Key.Public()); i >= 0 {
				if answered[i] = true; self {
					power = set.Power(i)
				}
			}
		}
		for i := range answered {
			if answered[i] || power >= set.Quorum() {
				continue
			}
			view, err := m.ask(ctx, set, i, knows)
			m.cfg.Log.Debug("asked for certificates", "validator", i, "view", view, "err", err)
			if errors.Is(err, errUnknownWord) {
				return 0, 0, false
			}
			if err == nil {
				answered[i], power, certified = true, power+set.Power(i), max(certified, view)
			}
		}
		if power >= set.Quorum() {
			return set.Epoch(), certified, true
		}
		if w := m.word.Load(); w != nil && !self && w.epoch == set.Epoch() {
			return w.epoch, max(certified, w.certified), true
		}
		if !pause(ctx, questionPause) {
			return 0, 0, false
		}
	}
}

// errUnknownWord: a certificate holds a vote of this key that its log does not.
var errUnknownWord = errors.New("a vote of this key that is not in its log")

// errAhead: a validator in a later epoch no longer says how far it was in this one.
var errAhead = errors.New("a validator has left the epoch")

// ask gets the certificates of one validator, checks them, and returns the highest
// view they certify. Errors: errUnknownWord, errAhead, those of the network.
func (m *Member) ask(ctx context.Context, set *valset.Set, index int, knows func(*cert.Certificate) bool) (view uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, questionWait)
	defer cancel()
	chainID, self := m.cfg.Chain.Env().ChainID, set.Index(m.cfg.Key.Public())
	alien := false
	err = m.cfg.Driver.Net.Ask(ctx, set.Key(index), driver.ProtocolCerts, enc.Encode(driver.CertsRequest{To: math.MaxUint64}), func(b []byte) error {
		x, err := msg.Decode(b)
		if err != nil || x.Cert == nil {
			return errors.Join(msg.ErrMalformed, err)
		}
		q := x.Cert
		if q.Epoch > set.Epoch() {
			return errAhead
		}
		if q.Epoch < set.Epoch() {
			return nil // it is not there yet
		}
		if _, err := msg.Verify(set, chainID, x); err != nil {
			return err
		}
		view, alien = max(view, q.View), alien || self >= 0 && q.Has(self) && !knows(q)
		return nil
	})
	if alien {
		return view, errUnknownWord
	}
	return view, err
}

// vote runs the driver of an epoch. What it signs is held back until the others
// were asked whether they have a word of this key that the log does not hold.
func (m *Member) vote(ctx context.Context, d *driver.Driver) error {
	if m.gate.isOpen() {
		return d.Run(ctx)
	}
	voting, cancel := context.WithCancel(ctx)
	defer cancel()
	asked := make(chan bool, 1)
	go func() {
		_, _, ok := m.question(voting, true, m.gate.knows)
		switch {
		case ok:
			for _, frame := range m.gate.release() {
				m.cfg.Driver.Net.Broadcast(frame, 0, true)
			}
		case voting.Err() == nil:
			cancel()
		default: // the driver stopped by itself
			ok = true
		}
		asked <- ok
	}()
	err := d.Run(voting)
	cancel()
	if ok := <-asked; ok && !(errors.Is(err, consensus.ErrTwin) && !m.gate.isOpen()) {
		return err
	}
	m.abstain(&votelog.Lost{Reason: "another validator has a signature of this key that the write-ahead log does not hold: the log is an older copy, or somebody else signs with the key"})
	return nil
}

// pause waits; false if ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// gated is the driver's network behind the gate.
type gated struct {
	driver.Network
	gate *gate
}

// Broadcast implements driver.Network.
func (g gated) Broadcast(frame []byte, view uint64, own bool) {
	if !own || g.gate.pass(frame) {
		g.Network.Broadcast(frame, view, own)
	}
}
