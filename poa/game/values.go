// SPDX-License-Identifier: Apache-2.0

package game

import (
	"fmt"
	"math/big"
	"math/bits"

	"github.com/openledger/openledger/poa"
)

// Strata are the sums D_{i,k} of all marginal contributions of player i to
// coalitions of k others, from which every semivalue follows.
type Strata struct {
	t *Table
	d [][]*big.Int // [player][k], k = 0..n−1
}

// MaxBeta bounds the parameters of Beta.
const MaxBeta = 64

// Strata sums the table once. Cost: n·2^(n−1) additions. Spec: GAM-01.
func (t *Table) Strata() *Strata {
	words := t.words + 1
	b := make([]uint64, (t.n+1)*words)     // B_k, all coalitions of k
	a := make([]uint64, t.n*(t.n+1)*words) // A_{i,k}, those with i
	at := func(x []uint64, i int) []uint64 { return x[i*words : (i+1)*words] }
	for mask := range uint32(1) << t.n {
		v := t.v[int(mask)*t.words : (int(mask)+1)*t.words]
		k := bits.OnesCount32(mask)
		add(at(b, k), v)
		for m := mask; m != 0; m &= m - 1 {
			add(at(a, bits.TrailingZeros32(m)*(t.n+1)+k), v)
		}
	}
	s := &Strata{t: t, d: make([][]*big.Int, t.n)}
	for i := range t.n {
		s.d[i] = make([]*big.Int, t.n)
		for k := range t.n { // D_{i,k} = A_{i,k+1} + A_{i,k} − B_k
			d := signed(at(a, i*(t.n+1)+k+1))
			d.Add(d, signed(at(a, i*(t.n+1)+k)))
			s.d[i][k] = d.Sub(d, signed(at(b, k)))
		}
	}
	return s
}

// add adds v, sign-extended, to the one word longer sum.
func add(sum, v []uint64) {
	var c uint64
	last := len(v) - 1
	for i, w := range v {
		sum[i], c = bits.Add64(sum[i], w, c)
	}
	sum[last+1] += uint64(int64(v[last])>>63) + c
}

// Shapley returns Σ_k k!(n−1−k)!/n!·D_{i,k} per player. The values sum to
// v(N) − v(∅). Source: Shapley 1953. Spec: GAM-01.
func (s *Strata) Shapley() []*big.Rat {
	n := s.t.n
	return s.weigh(func(k int) *big.Int {
		return new(big.Int).Mul(factorial(k), factorial(n-1-k))
	}, factorial(n))
}

// Banzhaf returns 2^{−(n−1)}·Σ_k D_{i,k} per player. Not efficient, never paid.
// Spec: GAM-01.
func (s *Strata) Banzhaf() []*big.Rat {
	return s.weigh(func(int) *big.Int { return big.NewInt(1) },
		new(big.Int).Lsh(big.NewInt(1), uint(s.t.n-1)))
}

// Beta returns the Beta(a, b) semivalue, Σ_k D_{i,k}·B(k+b, n−1−k+a)/B(a, b);
// Beta(1, 1) is Shapley. a and b from 1 to MaxBeta. Source: Kwon and Zou,
// AISTATS 2022, arXiv:2110.14049. Spec: GAM-01. Errors: poa.ErrRange.
func (s *Strata) Beta(a, b int) ([]*big.Rat, error) {
	if a < 1 || a > MaxBeta || b < 1 || b > MaxBeta {
		return nil, fmt.Errorf("%w: beta:%d,%d, both must be from 1 to %d", poa.ErrRange, a, b, MaxBeta)
	}
	n := s.t.n
	// B(x, y) = (x−1)!(y−1)!/(x+y−1)!, and x+y = n−1+a+b for every k.
	den := new(big.Int).Mul(factorial(n+a+b-2), factorial(a-1))
	den.Mul(den, factorial(b-1))
	return s.weigh(func(k int) *big.Int {
		w := new(big.Int).Mul(factorial(k+b-1), factorial(n-2-k+a))
		return w.Mul(w, factorial(a+b-1))
	}, den), nil
}

// LeaveOneOut returns v(N) − v(N∖i) per player. Spec: GAM-01.
func (t *Table) LeaveOneOut() []*big.Rat {
	out := make([]*big.Rat, t.n)
	all := t.Value(t.All())
	for i := range out {
		d := t.Value(t.All() &^ (1 << i))
		out[i] = t.rat(d.Sub(all, d), big.NewInt(1))
	}
	return out
}

func (s *Strata) weigh(weight func(k int) *big.Int, den *big.Int) []*big.Rat {
	out := make([]*big.Rat, s.t.n)
	for i := range out {
		sum := new(big.Int)
		for k, d := range s.d[i] {
			sum.Add(sum, new(big.Int).Mul(d, weight(k)))
		}
		out[i] = s.t.rat(sum, den)
	}
	return out
}

func factorial(n int) *big.Int { return new(big.Int).MulRange(1, int64(max(n, 1))) }
