// SPDX-License-Identifier: Apache-2.0

package fixed

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"
)

// U256 is an unsigned 256-bit integer for accumulators (PAY-04) and for
// products of three 64-bit factors (SHR-05). It is a value: operations return a
// new one, == compares. The zero value is 0. Encoded as a 32-byte big-endian
// byte string. Spec: ACC-02.
type U256 struct {
	w [4]uint64 // least significant word first
}

// NewU256 returns x.
func NewU256(x uint64) U256 { return U256{w: [4]uint64{x}} }

// Mul64 returns the full product x·y.
func Mul64(x, y uint64) U256 {
	hi, lo := bits.Mul64(x, y)
	return U256{w: [4]uint64{lo, hi}}
}

// IsZero reports whether a = 0.
func (a U256) IsZero() bool { return a == U256{} }

// Cmp returns −1, 0 or 1 as a <, =, > b.
func (a U256) Cmp(b U256) int {
	for i := 3; i >= 0; i-- {
		if a.w[i] != b.w[i] {
			if a.w[i] < b.w[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// Add returns a+b. Errors: ErrArith from 2^256 on.
func (a U256) Add(b U256) (U256, error) {
	var s U256
	var carry uint64
	for i := range s.w {
		s.w[i], carry = bits.Add64(a.w[i], b.w[i], carry)
	}
	if carry != 0 {
		return U256{}, ErrArith
	}
	return s, nil
}

// Sub returns a−b. Errors: ErrArith if b > a.
func (a U256) Sub(b U256) (U256, error) {
	var d U256
	var borrow uint64
	for i := range d.w {
		d.w[i], borrow = bits.Sub64(a.w[i], b.w[i], borrow)
	}
	if borrow != 0 {
		return U256{}, ErrArith
	}
	return d, nil
}

// Mul returns a·m. Errors: ErrArith from 2^256 on.
func (a U256) Mul(m uint64) (U256, error) {
	var p U256
	var carry uint64
	for i := range p.w {
		hi, lo := bits.Mul64(a.w[i], m)
		var c uint64
		p.w[i], c = bits.Add64(lo, carry, 0)
		carry = hi + c // hi ≤ 2^64−2, so this cannot wrap
	}
	if carry != 0 {
		return U256{}, ErrArith
	}
	return p, nil
}

// Div returns ⌊a/d⌋ and the remainder. Errors: ErrArith if d = 0.
func (a U256) Div(d uint64) (q U256, rem uint64, err error) {
	if d == 0 {
		return U256{}, 0, ErrArith
	}
	for i := 3; i >= 0; i-- {
		q.w[i], rem = bits.Div64(rem, a.w[i], d)
	}
	return q, rem, nil
}

// Shl64 returns a·2^64. Errors: ErrArith from 2^256 on.
func (a U256) Shl64() (U256, error) {
	if a.w[3] != 0 {
		return U256{}, ErrArith
	}
	return U256{w: [4]uint64{0, a.w[0], a.w[1], a.w[2]}}, nil
}

// Shr64 returns ⌊a/2^64⌋.
func (a U256) Shr64() U256 {
	return U256{w: [4]uint64{a.w[1], a.w[2], a.w[3], 0}}
}

// Uint64 returns a if it fits. Errors: ErrArith from 2^64 on.
func (a U256) Uint64() (uint64, error) {
	if a.w[1]|a.w[2]|a.w[3] != 0 {
		return 0, ErrArith
	}
	return a.w[0], nil
}

// Bytes32 returns the big-endian bytes.
func (a U256) Bytes32() (b [32]byte) {
	for i, w := range a.w {
		binary.BigEndian.PutUint64(b[24-8*i:], w)
	}
	return b
}

// String returns the decimal digits.
func (a U256) String() string {
	b := a.Bytes32()
	return new(big.Int).SetBytes(b[:]).String()
}

// MarshalBinary returns Bytes32; internal/enc calls it.
func (a U256) MarshalBinary() ([]byte, error) {
	b := a.Bytes32()
	return b[:], nil
}

// UnmarshalBinary reads exactly 32 big-endian bytes; internal/enc calls it.
// Errors: ErrArith for another length.
func (a *U256) UnmarshalBinary(b []byte) error {
	if len(b) != 32 {
		return fmt.Errorf("%w: %d bytes for a 256-bit integer", ErrArith, len(b))
	}
	for i := range a.w {
		a.w[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	return nil
}
