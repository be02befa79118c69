// SPDX-License-Identifier: Apache-2.0

package fixed

import (
	"errors"
	"math/big"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"pgregory.net/rapid"
)

func drawU256(t *rapid.T, name string) U256 {
	var a U256
	for i := range rapid.IntRange(0, 4).Draw(t, name+" words") {
		a.w[i] = edgy().Draw(t, name)
	}
	return a
}

func toBig(a U256) *big.Int {
	b := a.Bytes32()
	return new(big.Int).SetBytes(b[:])
}

func TestACC02U256EqualsBigIntegers(t *testing.T) {
	limit := new(big.Int).Lsh(big.NewInt(1), 256)
	word := new(big.Int).Lsh(big.NewInt(1), 64)
	rapid.Check(t, func(t *rapid.T) {
		a, b, m := drawU256(t, "a"), drawU256(t, "b"), edgy().Draw(t, "m")
		A, B, M := toBig(a), toBig(b), big64(m)
		check := func(op string, got U256, err error, want *big.Int) {
			if want.Sign() < 0 || want.Cmp(limit) >= 0 {
				if !errors.Is(err, ErrArith) || !got.IsZero() {
					t.Fatalf("%s: %v, %v; want ErrArith", op, got, err)
				}
				return
			}
			if err != nil || toBig(got).Cmp(want) != 0 {
				t.Fatalf("%s: %v, %v; want %v", op, got, err, want)
			}
		}
		sum, err := a.Add(b)
		check("a+b", sum, err, new(big.Int).Add(A, B))
		dif, err := a.Sub(b)
		check("a-b", dif, err, new(big.Int).Sub(A, B))
		pro, err := a.Mul(m)
		check("a*m", pro, err, new(big.Int).Mul(A, M))
		up, err := a.Shl64()
		check("a<<64", up, err, new(big.Int).Mul(A, word))
		check("a>>64", a.Shr64(), nil, new(big.Int).Div(A, word))
		check("m*m", Mul64(m, m), nil, new(big.Int).Mul(M, M))
		check("m", NewU256(m), nil, M)
		if a.Cmp(b) != A.Cmp(B) || (a == b) != (A.Cmp(B) == 0) || a.IsZero() != (A.Sign() == 0) {
			t.Fatalf("compare %v with %v: %d", a, b, a.Cmp(b))
		}
		quo, rem, err := a.Div(m)
		if m == 0 {
			check("a/0", quo, err, big.NewInt(-1))
		} else {
			q, r := new(big.Int).DivMod(A, M, new(big.Int))
			check("a/m", quo, err, q)
			if big64(rem).Cmp(r) != 0 {
				t.Fatalf("a mod m: %d, want %v", rem, r)
			}
		}
		low, err := a.Uint64()
		if want, wantErr := fits(A); low != want || !errors.Is(err, wantErr) {
			t.Fatalf("uint64: %d, %v", low, err)
		}
		if a.String() != A.String() {
			t.Fatalf("prints as %s, want %s", a, A)
		}
	})
}

func TestACC02U256IsEncodedAs32Bytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawU256(t, "a")
		bytes := a.Bytes32()
		b := enc.Encode(a)
		if string(b) != string(enc.Encode(bytes)) {
			t.Fatalf("encoded as %x", b)
		}
		var back U256
		if err := enc.Decode(b, &back); err != nil || back != a {
			t.Fatalf("%v came back as %v, %v", a, back, err)
		}
	})
	for _, n := range []int{0, 8, 31, 33} {
		if err := enc.Decode(enc.Encode(make([]byte, n)), new(U256)); !errors.Is(err, enc.ErrMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if err := enc.Decode(enc.Encode(uint64(7)), new(U256)); !errors.Is(err, enc.ErrMalformed) {
		t.Errorf("an integer: %v", err)
	}
}

// TestPAY04AccumulatorNeverPaysMoreThanItGot runs a pool as PAY-04 describes
// and checks that dues stay within what came in and within one unit per owner.
func TestPAY04AccumulatorNeverPaysMoreThanItGot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Uint64Range(1, 1<<40), 1, 6).Draw(t, "weights")
		var w, in, out uint64
		for _, x := range weights {
			w += x
		}
		var acc U256
		for _, a := range rapid.SliceOfN(rapid.Uint64Range(0, 1e12), 1, 8).Draw(t, "amounts") {
			in += a
			step, err := NewU256(a).Shl64()
			if err != nil {
				t.Fatal(err)
			}
			step, _, _ = step.Div(w)
			if acc, err = acc.Add(step); err != nil {
				t.Fatal(err)
			}
		}
		for _, x := range weights {
			due, err := acc.Mul(x)
			if err != nil {
				t.Fatal(err)
			}
			paid, err := due.Shr64().Uint64()
			if err != nil {
				t.Fatal(err)
			}
			out += paid
		}
		if out > in || in-out > uint64(len(weights))+8 {
			t.Fatalf("in %d, out %d", in, out)
		}
	})
}
