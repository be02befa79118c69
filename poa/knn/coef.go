// SPDX-License-Identifier: Apache-2.0

package knn

import (
	"fmt"
	"math/big"
	"math/bits"

	"github.com/openledger/openledger/poa"
)

// Params choose the utility of the game.
type Params struct {
	K       uint64 // neighbours that vote, ≥ 1
	Soft    bool   // divide by the voters present (KNN-03) instead of by K (KNN-02)
	Classes uint64 // number of labels, ≥ 1; v(∅) = 1/Classes if Soft
}

// Scales of the numerators.
const (
	Scale     = 40 // bits of the int64 numerators (KNN-04)
	WideScale = 96 // bits of the printed ones (KNN-05)
	workScale = 192
)

// Coefs are the coefficients of the recurrence for one N and Params, rounded
// half up to 2^−40 and 2^−96. They are read-only after NewCoefs.
type Coefs struct {
	n      int
	step   []int64 // step[i]: weight of m_i − m_{i+1} at rank i, ranks from 1
	last   [3]int64
	stepW  []Wide
	lastW  [3]Wide // weights of m_N, of M = Σ_{j<N} m_j, and of 1
	params Params
}

// NewCoefs prepares the recurrence over n ≥ 1 neighbours. Wide coefficients
// are filled only by Widen. Cost: O(n) short integer operations, O(K + n) of
// 192 bits if Soft. Spec: KNN-02..04.
// Errors: poa.ErrEmpty, poa.ErrRange.
func NewCoefs(n int, p Params) (*Coefs, error) {
	switch {
	case n == 0:
		return nil, poa.ErrEmpty
	case n < 0 || n > poa.MaxRows:
		return nil, fmt.Errorf("%w: %d rows, at most %d", poa.ErrRange, n, poa.MaxRows)
	case p.K == 0:
		return nil, fmt.Errorf("%w: K must be at least 1", poa.ErrRange)
	case p.Soft && p.Classes == 0:
		return nil, fmt.Errorf("%w: a soft utility needs the number of classes", poa.ErrRange)
	}
	c := &Coefs{n: n, params: p, step: make([]int64, n)}
	r := newRationals(n, p)
	for i := 1; i < n; i++ {
		c.step[i] = r.step(i, Scale).Int64()
	}
	for j := range c.last {
		c.last[j] = r.last(j, Scale).Int64()
	}
	return c, nil
}

// Widen adds the coefficients at 2^−96. Spec: KNN-05.
func (c *Coefs) Widen() {
	if c.stepW != nil {
		return
	}
	r := newRationals(c.n, c.params)
	c.stepW = make([]Wide, c.n)
	for i := 1; i < c.n; i++ {
		if i > 1 && uint64(i) <= r.k {
			c.stepW[i] = c.stepW[1]
			continue
		}
		c.stepW[i] = wideOf(r.step(i, WideScale))
	}
	for j := range c.lastW {
		c.lastW[j] = wideOf(r.last(j, WideScale))
	}
}

// rationals yields the coefficients, rounded on demand.
type rationals struct {
	n       int
	k       uint64 // K, at most n if soft
	soft    bool
	classes uint64
	h       *big.Int // ⌊h·2^workScale⌋ up to k units too low, soft only
}

func newRationals(n int, p Params) *rationals {
	r := &rationals{n: n, k: p.K, soft: p.Soft, classes: p.Classes}
	if !p.Soft {
		return r
	}
	r.k = min(r.k, uint64(n))
	r.h = new(big.Int)
	one := new(big.Int).Lsh(big.NewInt(1), workScale)
	q := new(big.Int)
	for j := uint64(2); j <= r.k; j++ { // h = Σ_{j≤K} 1/j − 1
		r.h.Add(r.h, q.Quo(one, new(big.Int).SetUint64(j)))
	}
	return r
}

// step returns the weight of m_i − m_{i+1} in units of 2^−scale.
func (r *rationals) step(i, scale int) *big.Int {
	den := max(r.k, uint64(i))
	if !r.soft {
		return divHalfUp(scale, den)
	}
	return r.round(scale, den, uint64(r.n-1))
}

// last returns the weight of m_N (0), of M (1) and of 1 (2) in s_N, as
// magnitudes: s_N = m_N·last0 − M·last1 − last2.
func (r *rationals) last(j, scale int) *big.Int {
	n := uint64(r.n)
	switch {
	case !r.soft && j == 0:
		return divHalfUp(scale, max(n, r.k))
	case !r.soft:
		return new(big.Int)
	case j == 2: // v(∅) spread over N
		hi, lo := bits.Mul64(r.classes, n)
		return divBig(scale, Wide{int64(hi), lo}.Big())
	case r.n == 1 && j == 0: // N = 1: m − 1/C
		return divHalfUp(scale, 1)
	case r.n == 1:
		return new(big.Int)
	case j == 0: // (h+1)/N
		return r.round(scale, n, n)
	default: // h/(N(N−1))
		return r.round(scale, 0, n*(n-1))
	}
}

// round returns 2^scale·(1/b + h/d) rounded half up, without the first term if
// b is 0, from h cut to 192 bits. Inside the bounds no coefficient lies on a half: a power
// of two above 2^41 in its denominator takes K ≥ 2^19, and then the primes
// between K/2 and K stay in the denominator too. So cutting decides wrongly
// only for a value within 2^−169 of a half, and then everywhere alike.
func (r *rationals) round(scale int, b, d uint64) *big.Int {
	x := new(big.Int).Quo(r.h, new(big.Int).SetUint64(d))
	if b != 0 {
		one := new(big.Int).Lsh(big.NewInt(1), workScale)
		x.Add(x, one.Quo(one, new(big.Int).SetUint64(b)))
	}
	shift := uint(workScale - scale)
	x.Add(x, new(big.Int).Lsh(big.NewInt(1), shift-1))
	return x.Rsh(x, shift)
}

// divHalfUp returns ⌊(2^scale + ⌊den/2⌋)/den⌋ (KNN-04).
func divHalfUp(scale int, den uint64) *big.Int {
	return divBig(scale, new(big.Int).SetUint64(den))
}

func divBig(scale int, den *big.Int) *big.Int {
	q := new(big.Int).Lsh(big.NewInt(1), uint(scale))
	q.Add(q, new(big.Int).Rsh(den, 1))
	return q.Quo(q, den)
}
