// SPDX-License-Identifier: Apache-2.0

package consensus

import "github.com/openledger/openledger/consensus/cert"

// wanted reports whether a block is due (CONS-53, CONS-33): work is pending, the
// newest certified block is not empty or not known, an object awaits a seed, the
// epoch ends or its seal is not final yet, or the heartbeat is due.
func (c *Core) wanted() bool {
	if c.work || c.sealDue() || c.now >= c.beat+c.cfg.Params.HeartbeatMS {
		return true
	}
	tip := c.root
	if i := len(c.chosen); i > 0 {
		q := c.views[c.chosen[i-1]].certificate()
		if tip = c.blocks[q.Hash()]; tip == nil {
			return true
		}
	}
	return tip.head.Txs > 0 || tip.waiting || c.carries(tip)
}

// awake reports whether the timers of the current view run.
func (c *Core) awake() bool {
	if c.wanted() {
		return true
	}
	w := c.views[c.cur]
	return w != nil && (w.first != nil || w.nullify.Most() > c.cfg.Set.Faulty())
}

// timeouts is CONS-23: nullify the current view when its leader is silent, has
// brought nothing to vote for by 2Δ, or no certificate came by 3Δ; or when more
// than f have given it up, one of whom at least is honest, and has waited or will
// not notarize; or when this key can do nothing else in it.
func (c *Core) timeouts() {
	switch awake := c.awake(); {
	case !awake:
		c.woke = 0
	case c.woke == 0:
		if c.woke = max(c.now, 1); !c.wanted() && c.views[c.cur].first == nil {
			c.woke = max(c.entered, 1) // woken by others, who have waited
		}
		c.resendAt = c.now + c.resendEvery()
	}
	if !c.signs(c.cur) && !c.abandons(c.cur) {
		return
	}
	if broken(mutNullifyFinal) && len(c.chosen) > 0 && c.now > c.entered+c.delta {
		if w := c.views[c.chosen[0]]; w.own.finalize != nil && w.own.nullify == nil {
			c.cast(cert.Nullify, c.chosen[0], nil)
		}
	}
	w := c.at(c.cur)
	if w.own.nullify != nil || w.own.finalize != nil || w.shown {
		return
	}
	if c.abandons(c.cur) || c.silent() || w.nullify.Most() > c.cfg.Set.Faulty() {
		c.cast(cert.Nullify, c.cur, nil)
		return
	}
	if c.woke == 0 {
		return
	}
	at := c.woke + 3*c.delta
	if w.own.notarize == nil {
		at = c.woke + 2*c.delta
	}
	if c.now < at {
		c.wait(at)
		return
	}
	c.cast(cert.Nullify, c.cur, nil)
}

func (c *Core) resendEvery() uint64 { return max(c.delta, resendMS) }

// stuck reports whether something is under way that a lost message can hold up.
func (c *Core) stuck() bool { return c.woke != 0 || len(c.chosen) > 0 }

// resend repeats what a peer may have missed while a view lasts too long
// (CONS-24).
func (c *Core) resend() {
	if !c.stuck() {
		return
	}
	at := max(c.resendAt, c.entered+c.resendEvery())
	if c.now < at {
		c.wait(at)
		return
	}
	c.resendAt = c.now + c.resendEvery()
	c.wait(c.resendAt)
	if broken(mutNoResend) {
		return
	}
	c.certsFor = 0
	if len(c.chosen) > 0 {
		c.ask(FetchCert{From: c.root.view + 1, To: c.cur})
	}
	c.repeat()
}

// repeat sends the newest Finalization, what concerns undecided blocks, the
// newest certificates, and the own words of the current view.
func (c *Core) repeat() {
	if c.self < 0 {
		return
	}
	if c.newest != nil {
		c.out.Send = append(c.out.Send, c.newest.Encode())
	} else {
		c.resendCert(c.startCert())
	}
	for _, v := range c.chosen {
		if w := c.views[v]; w.finalization == nil {
			c.resendOwn(w.own.finalize)
		}
	}
	low := c.root.view + 1
	if c.cur > low+resendCerts {
		low = c.cur - resendCerts
	}
	for v := low; v < c.cur; v++ {
		if w := c.views[v]; w != nil {
			c.resendCert(w.notarization)
			c.resendCert(w.nullification)
		}
	}
	w := c.at(c.cur)
	c.resendOwn(w.own.proposal)
	c.resendOwn(w.own.notarize)
	c.resendOwn(w.own.nullify)
}

func (c *Core) resendOwn(raw []byte) {
	if raw != nil {
		c.out.Send = append(c.out.Send, raw)
	}
}

func (c *Core) resendCert(q *cert.Certificate) {
	if q != nil {
		c.out.Send = append(c.out.Send, q.Encode())
	}
}

// deadline returns when a Timer is wanted next.
func (c *Core) deadline() uint64 {
	if c.woke == 0 && c.self >= 0 {
		c.wait(c.beat + c.cfg.Params.HeartbeatMS)
		c.awaitSeal()
	}
	if c.waitAt == 0 {
		return 0
	}
	return max(c.waitAt, c.now+1)
}
