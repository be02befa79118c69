// SPDX-License-Identifier: Apache-2.0

package lanes

import (
	"math/rand/v2"
	"testing"
)

// generator is the encoding of the generator.
var generator = func() (b [32]byte) {
	for i := range b {
		b[i] = 0x66
	}
	b[0] = 0x58
	return b
}()

// digits returns random digits of the n lowest positions.
func digits(r *rand.Rand, n int) (d Digits) {
	for i := range n {
		d[i] = int8(r.IntN(17)) - 8
	}
	return d
}

// other makes another digit of one.
func other(d *int8) {
	if *d++; *d > 8 {
		*d = -8
	}
}

// sum adds digits position by position, with carries, so that they stay digits.
func sum(list ...Digits) (out Digits) {
	carry := 0
	for i := range out {
		v := carry
		for _, d := range list {
			v += int(d[i])
		}
		carry = (v + 8) >> 4
		out[i] = int8(v - 16*carry)
	}
	return out
}

// TestASumIsZeroExactlyIfItsFactorsAre takes the generator for every point: then
// the factors alone decide.
func TestASumIsZeroExactlyIfItsFactorsAre(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	key := NewKey(generator)
	run := func(t *testing.T, rounds int) {
		for n := 1; n <= rounds; n++ {
			terms := make([]Term, n)
			var all []Digits
			for i := range terms {
				terms[i] = Term{R: generator, A: generator, Z: digits(r, 31), H: digits(r, 62)}
				if r.IntN(2) == 0 {
					terms[i].A, terms[i].Key = [32]byte{}, key
				}
				all = append(all, terms[i].Z, terms[i].H)
			}
			b := sum(all...)
			if !Zero(&b, terms) {
				t.Fatalf("%d terms: a sum that is zero is not", n)
			}
			at := r.IntN(n)
			if other(&terms[at].H[r.IntN(62)]); Zero(&b, terms) {
				t.Fatalf("%d terms: another factor of a key, and the sum is zero", n)
			}
			terms[at].H = all[2*at+1]
			if other(&terms[at].Z[r.IntN(31)]); Zero(&b, terms) {
				t.Fatalf("%d terms: another factor of a fresh point, and the sum is zero", n)
			}
			terms[at].Z = all[2*at]
			if terms[at].R[31] ^= 0x80; Zero(&b, terms) {
				t.Fatalf("%d terms: an opposite point, and the sum is zero", n)
			}
		}
	}
	single := func(t *testing.T) {
		for range 20 {
			term := Term{R: generator, H: digits(r, 62), Key: key}
			b := sum(term.H, Digits{1})
			if !ZeroOne(&b, &term) {
				t.Fatal("a sum that is zero is not")
			}
			if other(&term.H[r.IntN(62)]); ZeroOne(&b, &term) {
				t.Fatal("another factor of the key, and the sum is zero")
			}
		}
	}
	if fast {
		t.Run("one", single)
		t.Run("instructions", func(t *testing.T) { run(t, 30) })
		defer func() { fast = true }()
		fast = false
	}
	t.Run("one, plain", single)
	t.Run("plain", func(t *testing.T) { run(t, 10) })
}
