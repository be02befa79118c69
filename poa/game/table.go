// SPDX-License-Identifier: Apache-2.0

package game

import (
	"fmt"
	"math/big"

	"github.com/openledger/openledger/poa"
)

// Bounds of a table (GAM-01).
const (
	MaxPlayers = 24
	maxWords   = 1 << 26 // 64-bit words of one table: 512 MiB
)

// Table holds v(S) of all coalitions S as integers over one power of ten, or
// over 1. Index: bit i of the mask set means player i takes part. Read-only.
type Table struct {
	n     int
	words int      // 64-bit words of one value, two's complement
	v     []uint64 // 2^n values, low word first
	scale int      // values are over 10^scale
}

// New takes the 2^n integers of a game of n players, for example Q40.
// Errors: poa.ErrRange, poa.ErrShape.
func New(n int, values []int64) (*Table, error) {
	if n < 1 || n > MaxPlayers {
		return nil, fmt.Errorf("%w: %d players, at most %d", poa.ErrRange, n, MaxPlayers)
	}
	if len(values) != 1<<n {
		return nil, fmt.Errorf("%w: %d values of %d", poa.ErrShape, len(values), 1<<n)
	}
	t := &Table{n: n, words: 1, v: make([]uint64, len(values))}
	for i, v := range values {
		t.v[i] = uint64(v)
	}
	return t, nil
}

// Players returns n.
func (t *Table) Players() int { return t.n }

// All returns the mask of the coalition of everybody.
func (t *Table) All() uint32 { return uint32(1)<<t.n - 1 }

// Value returns v(S) as an integer over Scale.
func (t *Table) Value(mask uint32) *big.Int {
	return signed(t.v[int(mask)*t.words : (int(mask)+1)*t.words])
}

// Scale returns the denominator of every Value, a power of ten.
func (t *Table) Scale() *big.Int { return poa.Pow10(t.scale) }

// signed reads two's complement words, low first.
func signed(w []uint64) *big.Int {
	x := new(big.Int)
	for i := len(w) - 1; i >= 0; i-- {
		x.Lsh(x, 64)
		x.Or(x, new(big.Int).SetUint64(w[i]))
	}
	if w[len(w)-1]>>63 == 1 {
		x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(64*len(w))))
	}
	return x
}

// put writes x as two's complement words, low first. x must fit.
func put(w []uint64, x *big.Int) {
	if x.Sign() < 0 {
		x = new(big.Int).Add(x, new(big.Int).Lsh(big.NewInt(1), uint(64*len(w))))
	}
	for i := range w {
		w[i] = new(big.Int).Rsh(x, uint(64*i)).Uint64()
	}
}
