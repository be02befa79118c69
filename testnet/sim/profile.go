// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"math/rand/v2"
	"time"
)

// Fault is how a validator misbehaves.
type Fault uint8

// The faults. Power of faulty validators is at most f (CONS-02).
const (
	Honest     Fault = iota
	Silent           // never runs
	Twin             // two machines with one key
	Amnesia          // forgets its log at each start
	Equivocate       // two proposals in a view, and votes that exclude each other
	Withhold         // bodies for some validators only
	FalseClock       // a wall clock that is minutes wrong and jumps
)

// Profile describes one run.
type Profile struct {
	Powers    []uint64
	Faults    []Fault // by validator, in the order of Powers
	Followers int     // machines without a seat

	Loss, Repeat uint64        // per mille of frames, until Heal
	Delay        time.Duration // longest of a frame, until Heal
	Cuts         int           // partitions, some of one direction only
	Skew         time.Duration // largest error of an honest wall clock, either way
	Drift        int64         // largest error of a clock's speed, parts per million
	Crashes      int           // machines that die at an operation of their log or database
	Kills        int           // processes that die at some operation, of all machines in turn; Heal is then at most
	PowerLoss    int           // times that all machines lose power at once
	Full         int           // disks that fill up
	BadSyncs     int           // syncs of the log that fail, on one machine, whose power is at most f
	Flips        int           // bits that flip in its log
	Slow         time.Duration // longest check or commit of a block's body, until Heal
	Transfers    int           // until Heal
	SmallPools   bool          // so small that transactions are refused
	Keyed        bool          // validators have BLS and VRF keys
	Turnover     bool          // stakes move each epoch; the last follower joins, validator 1 leaves
	Epochs       uint64        // that must have ended in a run with Turnover

	Forget    int           // validators that lose their logs in the middle of the run
	ForgetGap time.Duration // between two of them
	Operators bool          // who look after a validator that abstains, and give their word

	Heal time.Duration // when the faults end
	Rest time.Duration // in which the network must decide everything after that
}

var sets = [][]uint64{{1}, {5, 5, 5, 5}, {40, 30, 20, 10}, {9, 8, 5, 4, 2, 1, 1}, {1, 1, 1, 1, 1, 1, 1}, {12, 9, 8, 7, 5, 4, 3, 2, 1, 1}}

// Draw makes the profile of a seed.
func Draw(seed uint64) Profile {
	r := rand.New(rand.NewPCG(seed, 0x73696d))
	set := sets[[]int{0, 1, 1, 1, 2, 2, 3, 4, 5}[r.IntN(9)]]
	p := Profile{Powers: set, Faults: make([]Fault, len(set)), Followers: r.IntN(2), Delay: 20 * time.Millisecond,
		Drift: 500, Transfers: 20 + r.IntN(100), Heal: 20*time.Second + upTo(r, 20*time.Second), Rest: 4 * time.Minute}
	p.SmallPools = r.IntN(8) == 0
	p.Crashes = r.IntN(2 * len(set))
	switch r.IntN(8) {
	case 0: // a calm network
	case 1:
		p.Delay = 900 * time.Millisecond
	case 2:
		p.Slow = 2 * time.Second
	default:
		p.Loss, p.Repeat, p.Cuts = r.Uint64N(200), r.Uint64N(150), r.IntN(4)
	}
	if r.IntN(3) == 0 {
		p.Skew = 2 * time.Second
	}
	if r.IntN(3) == 0 {
		p.PowerLoss = 1 + r.IntN(2)
	}
	p.Full = r.IntN(3) / 2
	p.Keyed = r.IntN(5) == 0
	p.corrupt(r)
	return p
}

// Story is the run of a network in which a validator joins by stake and another
// one leaves, over 20 epochs of 10 s under load, with partitions, crashes and power
// loss.
func Story() Profile {
	return Profile{Powers: []uint64{5, 5, 5, 5}, Faults: make([]Fault, 4), Followers: 1, Loss: 30, Repeat: 30, Delay: 20 * time.Millisecond,
		Cuts: 14, Skew: 200 * time.Millisecond, Drift: 500, Crashes: 10, PowerLoss: 2, Transfers: 300, Keyed: true, Turnover: true, Epochs: 20,
		Heal: 250 * time.Second, Rest: 4 * time.Minute}
}

// Killed is the run of loaded validators whose processes die so many times in all,
// half of them with the power of their machine. One validator alone has nobody who
// could give back what it loses.
func Killed(powers []uint64, times int) Profile {
	return Profile{Powers: powers, Faults: make([]Fault, len(powers)), Delay: 20 * time.Millisecond, Drift: 500, Kills: times,
		Transfers: 1 << 20, Heal: time.Duration(times) * 10 * time.Second, Rest: 4 * time.Minute}
}

// Forgetful is the run of a network in which so many validators, more than f, lose
// their logs, one after another. Nothing goes on without their operators' word.
func Forgetful(powers []uint64, lose int, gap time.Duration) Profile {
	return Profile{Powers: powers, Faults: make([]Fault, len(powers)), Followers: 1, Delay: 20 * time.Millisecond, Drift: 500, Transfers: 60,
		Forget: lose, ForgetGap: gap, Operators: true, Heal: 30 * time.Second, Rest: 30 * time.Minute}
}

// corrupt makes validators faulty as long as their power is at most f; instead of
// one a machine's disk may go bad.
func (p *Profile) corrupt(r *rand.Rand) {
	total := uint64(0)
	for _, w := range p.Powers {
		total += w
	}
	left := (total - 1) / 3
	kind := Fault(r.IntN(int(FalseClock) + 3))
	if kind > FalseClock {
		p.Flips, p.BadSyncs = 1+r.IntN(3), r.IntN(3)
		if p.Turnover = len(p.Powers) > 1 && r.IntN(2) == 0; p.Turnover {
			p.Followers++
		}
		return
	}
	for _, i := range r.Perm(len(p.Powers)) {
		if p.Powers[i] <= left {
			left -= p.Powers[i]
			p.Faults[i] = kind
		}
	}
}
