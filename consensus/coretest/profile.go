// SPDX-License-Identifier: Apache-2.0

package coretest

import (
	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/internal/detrand"
)

// Fault is how a validator misbehaves.
type Fault uint8

// The faults. Power of faulty validators is at most f (CONS-02).
const (
	Honest     Fault = iota
	Silent           // never says anything
	Twin             // two copies of an honest node with one key, which forget after each error
	Equivocate       // two proposals in a view, a vote for everything
	Unjustify        // proposals that skip a Nullification or stand on an unnotarized block
	BadRoot          // proposals with another state root
	Flood            // votes of far views and many blocks
	Withhold         // bodies for some validators only
	Collude          // signs whatever anybody signs, on every side; only in DrawOver
	BadShare         // shares that do not hold; only with Keys
)

// Profile describes one run. Times are virtual milliseconds.
type Profile struct {
	Powers    []uint64
	Faults    []Fault // by validator, in the order of Powers
	Observer  bool    // one more node follows without a key
	Joiners   int     // further nodes that may become validators
	Keys      bool    // validators have BLS and VRF keys
	Forgets   []bool  // by validator: loses its log now and then, not its guard
	Over      bool    // more than f is faulty: forks are allowed, and must be convicted
	Busy      bool    // there is always work, so views never last
	Join      bool    // nodes sometimes act on several steps at once
	Flaps     bool    // streams break for no reason, until HealAt
	Loss, Dup uint64  // per mille of messages, until HealAt
	DelayMin  uint64
	DelayMax  uint64
	HealDelay uint64 // largest delay from HealAt on
	ExecMax   uint64 // longest execution of a block
	Skew      uint64 // largest error of a wall clock, either way
	Crashes   int    // single nodes
	PowerCut  bool   // all nodes at once, at half of HealAt
	Splits    int    // partitions
	Txs       int    // transactions at random times before HealAt
	HealAt    uint64
	EndAt     uint64
	Params    consensus.Params

	mild  bool   // nobody is faulty, but who in spare might be
	spare []bool // by validator
}

// Powers of validator sets: one, equal and unequal stakes. Two have a total
// that 3 divides, where a quorum rounded wrongly shows.
var sets = [][]uint64{
	{1}, {5, 5, 5, 5}, {3, 2, 2, 2}, {40, 30, 20, 10}, {1, 1, 1, 1, 1, 1, 1}, {9, 8, 5, 4, 2, 1, 1},
}

// Draw makes the profile of a seed.
func Draw(seed uint64) Profile {
	r := detrand.NewSplitMix(seed ^ 0x6f70656e)
	p := Profile{
		Join: true, Flaps: true, Powers: sets[r.Below(uint64(len(sets)))], Params: consensus.LocalParams(),
		DelayMin: 1, DelayMax: 5 + r.Below(60), HealDelay: 40, ExecMax: 1 + r.Below(30),
		Skew: r.Below(200), Observer: r.Below(3) == 0, Txs: int(4 + r.Below(12)),
		HealAt: 8_000 + r.Below(8_000),
	}
	p.Faults = make([]Fault, len(p.Powers))
	switch r.Below(10) {
	case 0: // a calm network
	case 3: // a certificate takes longer than 3Δ, for good
		p.DelayMin, p.DelayMax, p.HealDelay = 750, 60, 60
	case 1:
		p.DelayMax = 900 // more than Δ at first
	case 2:
		p.ExecMax = 2_000
	default:
		p.Loss, p.Dup = r.Below(250), r.Below(150)
	}
	p.Crashes, p.Splits, p.PowerCut = int(r.Below(4)), int(r.Below(3)), r.Below(6) == 0
	p.EndAt = p.HealAt + 40_000
	if r.Below(8) == 0 {
		p.Busy, p.Params.PaceMS = true, 300
		if p.DelayMin < 100 { // else followers, who ask every 5 s, may need longer
			p.EndAt = p.HealAt + 24_000
		}
	}
	p.corrupt(r)
	if r.Below(2) == 0 {
		p.epochs(r)
	}
	return p
}

// epochs lets epochs end, sets change, and logs get lost.
func (p *Profile) epochs(r *detrand.SplitMix) {
	p.Params.EpochMS, p.Joiners = 4_000+r.Below(8_000), int(r.Below(4))
	if p.DelayMin > 100 {
		p.Params.EpochMS += 10_000 // else every block is a seal
	}
	p.Forgets = make([]bool, len(p.Powers))
	if p.mild {
		for i, m := range p.spare {
			p.Forgets[i] = m && r.Below(2) == 0
		}
	}
	if r.Below(12) > 0 {
		return
	}
	p.Keys, p.Params.CertifyMS = true, 3_000
	if p.DelayMin < 100 {
		p.EndAt = p.HealAt + 20_000
	}
	for i, f := range p.Faults {
		if f != Honest && f != Twin && r.Below(2) == 0 {
			p.Faults[i] = BadShare
		}
	}
}

// corrupt makes validators faulty as long as their power stays at most f.
func (p *Profile) corrupt(r *detrand.SplitMix) {
	total := uint64(0)
	for _, w := range p.Powers {
		total += w
	}
	left := (total - 1) / 3
	kind := Fault(r.Below(uint64(Withhold) + 1))
	p.mild, p.spare = kind == Honest, make([]bool, len(p.Powers))
	for _, i := range r.Perm(len(p.Powers)) {
		if p.Powers[i] <= left {
			left -= p.Powers[i]
			p.Faults[i], p.spare[i] = kind, true
		}
	}
}
