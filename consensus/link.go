// SPDX-License-Identifier: Apache-2.0

package consensus

// onLink notes whether the stream to a validator is open.
func (c *Core) onLink(e Link) {
	if i := e.Validator; i >= 0 && i < c.n && i != c.self && c.gone[i] == e.Up {
		c.gone[i] = !e.Up
		c.dirty = true
	}
}

// silent reports whether no proposal of the leader of the current view is to be
// waited for, while a quorum is there: it was not heard for ten views, or the
// stream to it is broken, and it has left none (CONS-53).
func (c *Core) silent() bool {
	l := c.sched.Leader(c.cur)
	if l == c.self {
		return false
	}
	if w := c.views[c.cur]; c.heard[l]+silentViews >= c.cur && !(c.gone[l] && (w == nil || w.first == nil)) {
		return false
	}
	power := uint64(0)
	for i, v := range c.heard {
		if i == c.self || v+silentViews >= c.cur && !c.gone[i] {
			power += c.cfg.Set.Power(i)
		}
	}
	return power >= c.quorum
}
