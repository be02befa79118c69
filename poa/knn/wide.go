// SPDX-License-Identifier: Apache-2.0

package knn

import (
	"math/big"
	"math/bits"
)

// Wide is a signed 128-bit integer, two's complement. Sums of at most 2^22
// values below 2^97 stay inside (KNN-05).
type Wide struct {
	Hi int64
	Lo uint64
}

func (w Wide) plus(x Wide) Wide {
	lo, carry := bits.Add64(w.Lo, x.Lo, 0)
	return Wide{w.Hi + x.Hi + int64(carry), lo}
}

func (w Wide) minus(x Wide) Wide {
	lo, borrow := bits.Sub64(w.Lo, x.Lo, 0)
	return Wide{w.Hi - x.Hi - int64(borrow), lo}
}

// times returns w·k for 0 ≤ w and a product below 2^127.
func (w Wide) times(k uint64) Wide {
	hi, lo := bits.Mul64(w.Lo, k)
	return Wide{int64(hi + uint64(w.Hi)*k), lo}
}

// Plus returns w + x.
func (w Wide) Plus(x Wide) Wide { return w.plus(x) }

// Big returns the value as a big integer.
func (w Wide) Big() *big.Int {
	b := new(big.Int).Lsh(big.NewInt(w.Hi), 64)
	return b.Add(b, new(big.Int).SetUint64(w.Lo))
}

func wideOf(b *big.Int) Wide {
	lo := new(big.Int).And(b, new(big.Int).SetUint64(^uint64(0)))
	return Wide{new(big.Int).Rsh(b, 64).Int64(), lo.Uint64()}
}

// Rat returns w/(2^96·rows), the printed value of a training row after rows
// validation rows. rows ≥ 1. Spec: KNN-05.
func (w Wide) Rat(rows int) *big.Rat {
	den := new(big.Int).Lsh(big.NewInt(int64(rows)), WideScale)
	return new(big.Rat).SetFrac(w.Big(), den)
}
