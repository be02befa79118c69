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

// rationals yields the coefficients as exact rationals, rounded on demand.
type rationals struct {
	n       int
	k       uint64 // K, at most n if soft
	soft    bool
	classes uint64
	h       *big.Int // ⌊h·2^workScale⌋ up to k units too low, soft only
	exact   *big.Rat // h itself, made when an approximation cannot decide
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
	return r.round(scale, 1, den, 1, uint64(r.n-1))
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
		return r.round(scale, 1, n, 1, n)
	default: // h/(N(N−1))
		return r.round(scale, 0, 1, 1, n*(n-1))
	}
}

// round returns the nearest integer to 2^scale·(a/b + c·h/d), halves up, for
// a, c in {0, 1}. It first brackets the value with h to 192 bits; where the
// bracket holds a half, it decides with h itself. That needs the exact
// fraction only for small K: above, the odd part of the denominator of h keeps
// the value away from halves.
func (r *rationals) round(scale int, a, b, c, d uint64) *big.Int {
	x := new(big.Int)
	if a == 1 {
		x.Lsh(big.NewInt(1), workScale)
		x.Quo(x, new(big.Int).SetUint64(b))
	}
	if c == 1 {
		x.Add(x, new(big.Int).Quo(r.h, new(big.Int).SetUint64(d)))
	}
	shift := uint(workScale - scale)
	half := new(big.Int).Lsh(big.NewInt(1), shift-1)
	low := new(big.Int).Rsh(new(big.Int).Add(x, half), shift)
	x.Add(x, big.NewInt(int64(r.k)+2)) // two floors, and up to k in h
	high := new(big.Int).Rsh(x.Add(x, half), shift)
	if low.Cmp(high) == 0 {
		return low
	}
	return r.roundExact(scale, a, b, c, d)
}

func (r *rationals) roundExact(scale int, a, b, c, d uint64) *big.Int {
	if r.exact == nil {
		r.exact = harmonic(2, int(r.k))
	}
	bb, dd := new(big.Int).SetUint64(b), new(big.Int).SetUint64(d)
	x := new(big.Rat).SetFrac(new(big.Int).SetUint64(a), bb)
	y := new(big.Rat).SetFrac(new(big.Int).SetUint64(c), dd)
	x.Add(x, y.Mul(y, r.exact))
	num := new(big.Int).Lsh(x.Num(), uint(scale)+1) // ⌊2x + 1⌋ / 2
	num.Add(num, x.Denom())
	return num.Quo(num, new(big.Int).Lsh(x.Denom(), 1))
}

// harmonic returns Σ_{j=from}^{to} 1/j by halving, 0 if to < from.
func harmonic(from, to int) *big.Rat {
	if to < from {
		return new(big.Rat)
	}
	if from == to {
		return big.NewRat(1, int64(from))
	}
	mid := from + (to-from)/2
	return new(big.Rat).Add(harmonic(from, mid), harmonic(mid+1, to))
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
