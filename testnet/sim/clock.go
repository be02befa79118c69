// SPDX-License-Identifier: Apache-2.0

package sim

import "time"

// skewed is a machine's clock: its speed and its idea of the time are wrong.
type skewed struct {
	s    *Sim
	id   int
	ppm  int64
	off  time.Duration // of an honest clock
	mad  bool          // jumps by minutes
	base int64         // Unix milliseconds at the start
}

func newSkewed(s *Sim, id int, f Fault) *skewed {
	r := s.dice("clock", nil, uint64(id))
	c := &skewed{s: s, id: id, mad: f == FalseClock, base: s.start.UnixMilli()}
	if s.p.Drift > 0 {
		c.ppm = r.Int64N(2*s.p.Drift+1) - s.p.Drift
	}
	if s.p.Skew > 0 {
		c.off = upTo(r, 2*s.p.Skew) - s.p.Skew
	}
	return c
}

// Now implements clock.Clock.
func (c *skewed) Now() uint64 {
	t := c.s.now().Microseconds()
	return uint64((t + t*c.ppm/1_000_000) / 1_000)
}

// Wall implements clock.Clock. Honest clocks are set right when the faults end.
func (c *skewed) Wall() uint64 {
	wall := c.base + int64(c.Now())
	switch t := c.s.now(); {
	case c.mad:
		r := c.s.dice("jump", nil, uint64(c.id), uint64(t/(3*time.Second)))
		wall += (upTo(r, 4*time.Minute) - 2*time.Minute).Milliseconds()
	case !c.s.healed():
		wall += c.off.Milliseconds()
	default:
		wall = c.base + t.Milliseconds()
	}
	return uint64(wall)
}
