// SPDX-License-Identifier: Apache-2.0

package hf

import (
	"math"
	"math/big"
)

// prec is the precision of all intermediate results, in bits. The error of a
// table entry stays below 2^-160, so its binary32 is that of the exact number
// unless the exact number lies so close to a tie. Spec: TNS-03.
const prec = 192

func newBig(x float64) *big.Float { return new(big.Float).SetPrec(prec).SetFloat64(x) }
func zero() *big.Float            { return new(big.Float).SetPrec(prec) }

func bitsBig(bits uint32) *big.Float { return newBig(float64(math.Float32frombits(bits))) }

// RopeTables returns cos(p·f_i) and sin(p·f_i) for p below positions and i below
// HeadDim/2, row-major [positions, HeadDim/2], each rounded once to binary32. A
// shorter table is a prefix of a longer one. a must have passed Check. Cost:
// about 1 µs for an entry. Spec: TNS-03.
func RopeTables(a Arch, positions uint32) (cos, sin []float32) {
	half := int(a.HeadDim / 2)
	cos, sin = make([]float32, int(positions)*half), make([]float32, int(positions)*half)
	u, v, w := zero(), zero(), zero()
	for i, f := range frequencies(a) {
		// Frequencies are at most 1, so the series needs no reduction; each next
		// position is one more rotation by f, which loses 2^-190 at a time.
		stepC, stepS := sinCos(f)
		c, s := newBig(1), zero()
		for p := range int(positions) {
			cos[p*half+i], _ = c.Float32()
			sin[p*half+i], _ = s.Float32()
			u.Mul(c, stepC)
			v.Mul(s, stepS)
			w.Mul(s, stepC)
			u.Sub(u, v)
			v.Mul(c, stepS)
			s.Add(w, v)
			c, u = u, c
		}
	}
	return cos, sin
}

// frequencies returns f_i = Theta^(−2i/HeadDim), stretched as Scaling says.
func frequencies(a Arch) []*big.Float {
	half := int(a.HeadDim / 2)
	ratio := zero().Quo(newBig(1), root(bitsBig(a.Rope.ThetaBits), half))
	out := make([]*big.Float, half)
	f := newBig(1)
	for i := range out {
		out[i] = stretch(a.Rope, f)
		f = zero().Mul(f, ratio)
	}
	return out
}

// stretch applies the scaling. For ScaleLlama3 the wavelength 2π/f decides, as
// turns = Original/wavelength: above high it is kept, below low divided, between
// them mixed by (turns − low)/(high − low). At both ends the mix is the branch,
// so the comparison may fall either way.
func stretch(r Rope, f *big.Float) *big.Float {
	if r.Scaling == ScaleNone {
		return f
	}
	slow := zero().Quo(f, bitsBig(r.FactorBits))
	if r.Scaling == ScaleLinear {
		return slow
	}
	low, high := bitsBig(r.LowBits), bitsBig(r.HighBits)
	turns := zero().Mul(f, newBig(float64(r.Original)))
	turns.Quo(turns, zero().Mul(newBig(2), pi()))
	switch {
	case turns.Cmp(high) > 0:
		return f
	case turns.Cmp(low) < 0:
		return slow
	}
	smooth := zero().Quo(turns.Sub(turns, low), high.Sub(high, low))
	rest := zero().Sub(newBig(1), smooth)
	return zero().Add(rest.Mul(rest, slow), smooth.Mul(smooth, f))
}

// root returns the n-th root of x > 1 by Newton's method, from the 50 bits of a
// binary64: each step doubles the number of bits that are right.
func root(x *big.Float, n int) *big.Float {
	start, _ := x.Float64()
	y := newBig(math.Pow(start, 1/float64(n)))
	for range 4 {
		power := newBig(1) // y^(n−1)
		for range n - 1 {
			power.Mul(power, y)
		}
		e := zero().Sub(y, zero().Quo(x, power)) // y' = y − (y − x/y^(n−1))/n
		y.Sub(y, e.Quo(e, newBig(float64(n))))
	}
	return y
}

// sinCos sums both Taylor series for 0 <= x <= 1, until a term vanishes.
func sinCos(x *big.Float) (cos, sin *big.Float) {
	cos, sin = zero(), zero()
	term := newBig(1) // x^k/k!
	for k := 0; k < 64; k++ {
		sum := cos
		if k&1 == 1 {
			sum = sin
		}
		if k&2 == 0 {
			sum.Add(sum, term)
		} else {
			sum.Sub(sum, term)
		}
		term.Mul(term, x)
		term.Quo(term, newBig(float64(k+1)))
	}
	return cos, sin
}

// pi is Machin's 16·arctan(1/5) − 4·arctan(1/239), in integers of 2^-256.
func pi() *big.Float {
	const shift = 256
	arctan := func(n int64) *big.Int {
		sum, square := new(big.Int), big.NewInt(n*n)
		term := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(1), shift), big.NewInt(n))
		for k := int64(1); term.Sign() != 0; k += 2 {
			part := new(big.Int).Quo(term, big.NewInt(k))
			if k&2 == 0 {
				sum.Add(sum, part)
			} else {
				sum.Sub(sum, part)
			}
			term.Quo(term, square)
		}
		return sum
	}
	n := arctan(5)
	n.Mul(n, big.NewInt(4)).Sub(n, arctan(239))
	f := zero().SetInt(n.Mul(n, big.NewInt(4)))
	return f.SetMantExp(f, -shift)
}
