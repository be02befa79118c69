// SPDX-License-Identifier: Apache-2.0

package lanes

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

var prime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))

func (o *fe) big(l int) *big.Int {
	sum := new(big.Int)
	for i := 4; i >= 0; i-- {
		sum.Add(sum.Lsh(sum, 51), new(big.Int).SetUint64(o[i][l]))
	}
	return sum.Mod(sum, prime)
}

// extreme returns limbs below 2^52, often at the very ends.
func extreme(r *rand.Rand) (o fe) {
	for i := range o {
		for l := range o[i] {
			switch v := r.Uint64() & (1<<52 - 1); r.IntN(4) {
			case 0:
				o[i][l] = 1<<52 - 1
			case 1:
				o[i][l] = 0
			default:
				o[i][l] = v
			}
		}
	}
	return o
}

func tame(o *fe) bool {
	for i := range o {
		for _, v := range o[i] {
			if v >= 1<<51+1<<15 {
				return false
			}
		}
	}
	return true
}

func TestFieldOperationsAreThoseOfTheIntegers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3_000 {
		a, b := extreme(r), extreme(r)
		if r.IntN(3) == 0 {
			b = a
		}
		n := 1 + r.Uint64N(3)
		power := new(big.Int).Lsh(big.NewInt(1), uint(n))
		for name, op := range map[string]struct {
			got  func(o *fe)
			asm  func(o *fe)
			want func(x, y *big.Int) *big.Int
		}{
			"mul": {func(o *fe) { mulPlain(o, &a, &b) }, func(o *fe) { mulAsm(o, &a, &b) }, func(x, y *big.Int) *big.Int { return new(big.Int).Mul(x, y) }},
			"add": {func(o *fe) { addPlain(o, &a, &b) }, func(o *fe) { addAsm(o, &a, &b) }, func(x, y *big.Int) *big.Int { return new(big.Int).Add(x, y) }},
			"sqr": {func(o *fe) {
				mulPlain(o, &a, &a)
				for range n - 1 {
					mulPlain(o, o, o)
				}
			}, func(o *fe) { sqrAsm(o, &a, n) }, func(x, y *big.Int) *big.Int { return new(big.Int).Exp(x, power, prime) }},
		} {
			check(t, name, &a, &b, op.got, op.asm, op.want)
		}
		var c fe
		c.mul(&b, &one) // what is subtracted is a result
		check(t, "sub", &a, &c, func(o *fe) { subPlain(o, &a, &c) }, func(o *fe) { subAsm(o, &a, &c) }, func(x, y *big.Int) *big.Int { return new(big.Int).Sub(x, y) })
	}
}

func check(t *testing.T, name string, a, b *fe, got, asm func(*fe), want func(x, y *big.Int) *big.Int) {
	t.Helper()
	var o, p fe
	got(&o)
	if !tame(&o) {
		t.Fatalf("%s leaves large limbs", name)
	}
	if fast {
		if asm(&p); p != o {
			t.Fatalf("%s: the instructions differ from the plain code:\n%x\n%x", name, p, o)
		}
	}
	for l := range 8 {
		w := want(a.big(l), b.big(l))
		if w.Mod(w, prime); o.big(l).Cmp(w) != 0 {
			t.Fatalf("%s, lane %d: %x, want %x", name, l, o.big(l), w)
		}
	}
}

func TestAPickIsTheMultipleOfItsDigit(t *testing.T) {
	var digits [8]int8
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		for l := range digits {
			digits[l] = int8(r.IntN(17)) - 8
		}
		var plain, got cached
		pickPlain(&plain, &base.table, &digits)
		if fast {
			if pickAsm(&got, &base.table, &digits); got != plain {
				t.Fatalf("digits %v: the instructions differ from the plain code", digits)
			}
		}
		// the point and its opposite are nothing
		var back cached
		opposite := digits
		for l := range opposite {
			opposite[l] = -opposite[l]
		}
		pickPlain(&back, &base.table, &opposite)
		p := identity()
		p.add(&plain)
		p.add(&back)
		for l := range 8 {
			if !p.x.zero(l) || p.y.canon(l) != p.z.canon(l) {
				t.Fatalf("digit %d and its opposite leave something", digits[l])
			}
		}
	}
}

func TestAnElementHasOneCanonicalForm(t *testing.T) {
	for _, extra := range []int64{0, 1, 18, 19, -1, 20} {
		v := new(big.Int).Add(prime, big.NewInt(extra))
		var b [32]byte
		for i, c := range v.FillBytes(make([]byte, 32)) {
			b[31-i] = c
		}
		var o fe
		o.set(3, &b)
		s := o.canon(3)
		var p fe
		for i := range s {
			p[i][0] = s[i]
		}
		want := v.Mod(v, prime)
		raw := new(big.Int)
		for i := 4; i >= 0; i-- {
			raw.Add(raw.Lsh(raw, 51), new(big.Int).SetUint64(s[i]))
		}
		if extra < 19 && raw.Cmp(want) != 0 {
			t.Errorf("p%+d: %x, want %x", extra, raw, want)
		}
	}
}

func BenchmarkField(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	x, y := extreme(r), extreme(r)
	b.Run("mul", func(b *testing.B) {
		for range b.N {
			x.mul(&x, &y)
		}
	})
	b.Run("sqr", func(b *testing.B) { x.sqr(&x, uint64(b.N)) })
	b.Run("add", func(b *testing.B) {
		for range b.N {
			x.add(&x, &y)
		}
	})
	b.Run("double4", func(b *testing.B) {
		p := identity()
		for range b.N {
			p.double(4)
		}
	})
	b.Run("addpoint", func(b *testing.B) {
		p := identity()
		for range b.N {
			p.add(&base.table[3])
		}
	})
	b.Run("pick", func(b *testing.B) {
		var c cached
		dg := [8]int8{1, -2, 3, -4, 5, 6, -7, 8}
		for range b.N {
			c.pick(&base.table, &dg)
		}
	})
	b.Run("newkey", func(b *testing.B) {
		for range b.N {
			NewKey([32]byte{1})
		}
	})
}
