// SPDX-License-Identifier: Apache-2.0

package coretest

import "github.com/openledger/openledger/internal/detrand"

// DrawOver makes the profile of a seed in which validators of power above f
// collude, at most so many that two honest ones remain. The network is split
// most of the time; who colludes reaches everybody.
func DrawOver(seed uint64) Profile {
	r := detrand.NewSplitMix(seed ^ 0x6f766572)
	p := Draw(seed)
	p.Over, p.Observer = true, false
	p.Params.EpochMS, p.Keys, p.Joiners, p.Forgets = 0, false, 0, nil
	for len(p.Powers) < 4 {
		p.Powers = sets[r.Below(uint64(len(sets)))]
	}
	p.Faults = make([]Fault, len(p.Powers))
	p.DelayMin, p.DelayMax, p.Loss = 1, 5+r.Below(60), r.Below(60)
	p.Splits, p.Crashes = int(4+r.Below(8)), int(r.Below(3))
	p.EndAt = p.HealAt + 4_000
	total, power, honest := uint64(0), uint64(0), len(p.Powers)
	for _, w := range p.Powers {
		total += w
	}
	want := (total-1)/3 + 1 + r.Below(total/3+1)
	for _, i := range r.Perm(len(p.Powers)) {
		if power < want && honest > 2 {
			p.Faults[i] = Collude
			if r.Below(4) == 0 {
				p.Faults[i] = Twin
			}
			power += p.Powers[i]
			honest--
		}
	}
	return p
}
