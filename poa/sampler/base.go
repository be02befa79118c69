// SPDX-License-Identifier: Apache-2.0

package sampler

import (
	"math/big"

	"github.com/openledger/openledger/internal/detrand"
)

// base is one sample: players on a circle and the places to cut it.
type base struct {
	perm   []int
	starts []int
}

// draw takes a permutation and then the offset of the cuts (SMP-02, ARC-04).
func draw(r *detrand.SplitMix, n, s int) base {
	b := base{perm: r.Perm(n), starts: make([]int, s)}
	offset := int(r.Below(uint64(n)))
	for k := range b.starts {
		b.starts[k] = (offset + k*n/s) % n
	}
	return b
}

// intervals calls do with every circular interval of 1..n−1 players that
// starts or ends at a cut, those that start there first.
func (b base) intervals(do func(mask uint32)) {
	n := len(b.perm)
	for _, a := range b.starts {
		var forward, back uint32
		for t := range n - 1 {
			forward |= 1 << b.perm[(a+t)%n]
			do(forward)
			back |= 1 << b.perm[(a+n-1-t)%n]
			do(back)
		}
	}
}

// distinct returns how many coalitions of 1..n−1 players a base of s cuts
// meets: all n(n−1) intervals but those with no cut at either end.
func distinct(n, s int) int { return s * (2*n - s - 1) }

// play is v(S) with its two ends at hand.
type play struct {
	n     int
	value func(mask uint32) *big.Int
	empty *big.Int // v(∅)
	all   *big.Int // v(N)
	lcm   *big.Int // of 1..n
}

func newPlay(n int, value func(uint32) *big.Int) *play {
	g := &play{n: n, value: value, empty: value(0), all: value(uint32(1)<<n - 1), lcm: big.NewInt(1)}
	for k := int64(2); k <= int64(n); k++ {
		x := big.NewInt(k)
		g.lcm.Mul(g.lcm, new(big.Int).Quo(x, new(big.Int).GCD(nil, nil, g.lcm, x)))
	}
	return g
}

// marginals returns 2s times the base's estimate for every player: the mean of
// marginal contributions along each reading. Sums to 2s·(v(N) − v(∅)).
// Spec: SMP-01.
func (g *play) marginals(b base) []*big.Int {
	x := zeros(g.n)
	step := new(big.Int)
	read := func(at func(t int) int) {
		mask, before := uint32(0), g.empty
		for t := range g.n {
			i := b.perm[at(t)%g.n]
			mask |= 1 << i
			after := g.all
			if t < g.n-1 {
				after = g.value(mask)
			}
			x[i].Add(x[i], step.Sub(after, before))
			before = after
		}
	}
	for _, a := range b.starts {
		read(func(t int) int { return a + t })
		read(func(t int) int { return a + g.n - 1 - t })
	}
	return x
}

// complements returns 2s·n·lcm times the base's estimate for every player, from
// U(I) = v(I) − v(N∖I) of the intervals I that start at a cut: φ_i is the mean
// over sizes of the mean U over coalitions of that size with i, and an interval
// of j players holds i with probability j/n. What U owes to size alone,
// (2j−n)/n·(v(N) − v(∅)) on a straight line, is taken off first: over the sizes
// it adds up to nothing, and its noise is gone. Unbiased; sums to v(N) − v(∅)
// if every place is cut. Source: Zhang et al., PACMMOD 1 (2023), complementary
// contributions; the circular form and the line are ours. Spec: SMP-03.
func (g *play) complements(b base) []*big.Int {
	n := int64(g.n)
	x := zeros(g.n)
	gain := new(big.Int).Sub(g.all, g.empty)
	whole := new(big.Int).Mul(gain, g.lcm)
	whole.Mul(whole, big.NewInt(int64(2*len(b.starts))))
	for i := range x {
		x[i].Set(whole)
	}
	full := uint32(1)<<g.n - 1
	for _, a := range b.starts {
		mask := uint32(0)
		for j := int64(1); j < n; j++ {
			mask |= 1 << b.perm[(a+int(j)-1)%g.n]
			u := new(big.Int).Sub(g.value(mask), g.value(full&^mask))
			u.Mul(u, big.NewInt(n))
			u.Sub(u, new(big.Int).Mul(gain, big.NewInt(2*j-n)))
			u.Mul(u, g.lcm)
			in := new(big.Int).Quo(u, big.NewInt(j))
			out := new(big.Int).Quo(u, big.NewInt(n-j))
			for i := range x {
				if mask>>i&1 == 1 {
					x[i].Add(x[i], in)
				} else {
					x[i].Sub(x[i], out)
				}
			}
		}
	}
	return x
}

func zeros(n int) []*big.Int {
	x := make([]*big.Int, n)
	for i := range x {
		x[i] = new(big.Int)
	}
	return x
}
