// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"math/rand/v2"
	"time"

	"github.com/openledger/openledger/internal/fixed"
)

// plan draws what happens to whom and when. All of it is fixed before anything
// runs.
func (s *Sim) plan() {
	r := s.dice("plan", nil)
	at := func(do func()) { time.AfterFunc(upTo(r, s.p.Heal), do) }
	pick := func() *machine { return s.machines[r.IntN(len(s.machines))] }
	for range s.p.Cuts {
		s.cuts = append(s.cuts, s.drawCut(r))
	}
	for range s.p.Crashes {
		m, outage, where, ops, part := pick(), r.IntN(2) == 0, r.IntN(9), 1+r.IntN(40), []int{0, 50, 100}[r.IntN(3)]
		at(func() {
			s.trace("machine %d dies in %d operations", m.id, ops)
			m.mu.Lock()
			m.outage = outage
			m.mu.Unlock()
			switch {
			case where < 4:
				m.disk.Plan(ops)
			case where < 8:
				m.db.Plan(1+ops/4, part)
			default:
				m.keys.Plan(1 + ops%2)
			}
		})
	}
	for range s.p.PowerLoss {
		at(func() {
			s.trace("power is lost everywhere")
			s.count("blackout")
			for _, m := range s.machines {
				m.kill(true)
			}
		})
	}
	for range s.p.Full {
		m, room := pick(), r.IntN(100_000)
		at(func() { m.disk.Fill(room) })
	}
	for i := range s.p.Forget {
		time.AfterFunc(s.p.Heal/3+time.Duration(i)*s.p.ForgetGap, func() {
			s.trace("machine %d loses its log", i)
			s.machines[i].wiped.Store(true)
			s.machines[i].kill(false)
		})
	}
	for i := range s.p.Kills {
		s.machines[i%len(s.machines)].doom.Add(1)
	}
	s.plague(r)
}

// plague chooses the machine whose disk goes bad, of power at most f: syncs fail,
// and each time that it starts again a bit has flipped.
func (s *Sim) plague(r *rand.Rand) {
	for _, i := range r.Perm(len(s.machines)) {
		m := s.machines[i]
		if s.p.Flips+s.p.BadSyncs == 0 || m.power == 0 || m.power > s.w.Set.Faulty() {
			continue
		}
		s.frail, m.flips = m, s.p.Flips
		for range s.p.Flips {
			outage := r.IntN(2) == 0
			time.AfterFunc(upTo(r, s.p.Heal), func() { m.kill(outage) })
		}
		for range s.p.BadSyncs {
			number := 1 + r.IntN(20)
			time.AfterFunc(upTo(r, s.p.Heal), func() { m.disk.FailSync(number) })
		}
		return
	}
}

func (s *Sim) drawCut(r *rand.Rand) cut {
	c := cut{from: upTo(r, s.p.Heal), side: make([]bool, len(s.machines)), oneWay: r.IntN(3) == 0}
	c.until = min(s.p.Heal, c.from+upTo(r, 8*time.Second))
	for i := range c.side {
		c.side[i] = r.IntN(2) == 0
	}
	return c
}

// amount is what a transfer moves, in base units.
func (s *Sim) amount(n uint64) fixed.Amount { return fixed.Amount(n % 1_000_000) }
