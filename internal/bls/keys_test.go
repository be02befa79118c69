// SPDX-License-Identifier: Apache-2.0

package bls

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/keys"
)

var message = []byte("message")

// members returns n keys, their set and their shares of message.
func members(t testing.TB, n int) ([]PrivateKey, *Keys, []Share) {
	t.Helper()
	secrets, public, shares := make([]PrivateKey, n), make([]PublicKey, n), make([]Share, n)
	for i := range n {
		secrets[i] = NewKey(filled(byte(i + 1)))
		public[i] = secrets[i].Public()
		shares[i] = Share{i, secrets[i].Sign(message)}
	}
	set, err := NewKeys(public)
	if err != nil {
		t.Fatal(err)
	}
	if set.Len() != n {
		t.Fatalf("%d members, want %d", set.Len(), n)
	}
	return secrets, set, shares
}

func sigs(shares []Share) (out []Signature) {
	for _, s := range shares {
		out = append(out, s.Sig)
	}
	return out
}

func without(shares []Share, members ...int) []Share {
	return slices.DeleteFunc(slices.Clone(shares), func(s Share) bool { return slices.Contains(members, s.Member) })
}

func in(shares []Share) func(int) bool {
	return func(i int) bool { return slices.ContainsFunc(shares, func(s Share) bool { return s.Member == i }) }
}

// TestCONS12AggregatesHoldForExactlyTheirSigners draws who signs and who is
// said to have signed.
func TestCONS12AggregatesHoldForExactlyTheirSigners(t *testing.T) {
	const n = 7
	_, set, shares := members(t, n)
	rapid.Check(t, func(t *rapid.T) {
		who := rapid.IntRange(1, 1<<n-1).Draw(t, "signers")
		said := rapid.IntRange(0, 1<<n-1).Draw(t, "said")
		var some []Share
		for i, s := range shares {
			if who>>i&1 == 1 {
				some = append(some, s)
			}
		}
		sig := sum(t, sigs(some)...)
		if err := set.VerifyAggregate(in(some), message, sig); err != nil {
			t.Fatal(err)
		}
		err := set.VerifyAggregate(func(i int) bool { return said>>i&1 == 1 }, message, sig)
		if (err == nil) != (said == who) || err != nil && !errors.Is(err, ErrSignature) {
			t.Fatalf("signed by %b, said %b: %v", who, said, err)
		}
		if err := set.VerifyAggregate(in(some), []byte("massage"), sig); !errors.Is(err, ErrSignature) {
			t.Fatalf("another message: %v", err)
		}
	})
}

// TestCONS12SumOfKeysIsTheSameBothWays compares the shorter way with the plain
// sum, for every subset.
func TestCONS12SumOfKeysIsTheSameBothWays(t *testing.T) {
	const n = 5
	_, set, _ := members(t, n)
	for who := range 1 << n {
		calls := []int{}
		got := set.sumOf(func(i int) bool { calls = append(calls, i); return who>>i&1 == 1 })
		want := addAll(nil)
		for i, k := range set.keys {
			if who>>i&1 == 1 {
				want.Add(want, k)
			}
		}
		if !got.IsEqual(want) {
			t.Errorf("%b: sums differ", who)
		}
		if !slices.Equal(calls, []int{0, 1, 2, 3, 4}) {
			t.Errorf("%b: asked for %v", who, calls)
		}
	}
	if again := set.sumOf(func(int) bool { return true }); !again.IsEqual(&set.sum) {
		t.Error("the cached sum was changed")
	}
}

func TestCONS12AggregateRefuses(t *testing.T) {
	_, set, shares := members(t, 3)
	all := func(int) bool { return true }
	for name, s := range map[string][]Signature{
		"nothing":                     nil,
		"a malformed share":           {shares[0].Sig, {}},
		"the identity":                {identity()},
		"shares that cancel":          {shares[0].Sig, negated(shares[0].Sig)},
		"a share outside the group":   {shares[0].Sig, Signature(offGroupG1())},
		"a share with the top bit 0":  {masked(shares[0].Sig, 0x7f)},
		"a share that is no point":    {{0: 0x80, 47: 1}},
		"the identity, after another": {shares[0].Sig, identity()},
	} {
		if _, err := Aggregate(s); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	sig := sum(t, sigs(shares)...)
	for name, err := range map[string]error{
		"nobody signed":            set.VerifyAggregate(func(int) bool { return false }, message, sig),
		"nobody and nothing":       set.VerifyAggregate(func(int) bool { return false }, message, identity()),
		"the identity":             set.VerifyAggregate(all, message, identity()),
		"one share short":          set.VerifyAggregate(all, message, sum(t, sigs(shares[:2])...)),
		"one share twice":          set.VerifyAggregate(all, message, sum(t, append(sigs(shares), shares[0].Sig)...)),
		"another member's share":   set.Verify(0, message, shares[1].Sig),
		"a member's other message": set.Verify(0, []byte("massage"), shares[0].Sig),
		"a malformed share":        set.Verify(0, message, Signature{}),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := set.Verify(2, message, shares[2].Sig); err != nil {
		t.Error(err)
	}
}

// TestCONS12KeysThatCancelProveNothing: two keys of one holder whose sum is the
// identity must not make an aggregate of nothing hold.
func TestCONS12KeysThatCancelProveNothing(t *testing.T) {
	key := NewKey(filled(1))
	minus := key.Public()
	minus[0] ^= 0x20
	set, err := NewKeys([]PublicKey{key.Public(), minus})
	if err != nil {
		t.Fatal(err)
	}
	all := func(int) bool { return true }
	for _, sig := range []Signature{identity(), key.Sign(message)} {
		if err := set.VerifyAggregate(all, message, sig); !errors.Is(err, ErrSignature) {
			t.Errorf("%v: %v", sig, err)
		}
	}
	shares := []Share{{0, key.Sign(message)}, {1, negated(key.Sign(message))}}
	if sig, bad, err := set.Combine(message, shares); !errors.Is(err, ErrSignature) {
		t.Errorf("%v, %v, %v", sig, bad, err)
	}
}

// TestCONS12RogueKeysNeedAProof: a key chosen to cancel another makes an
// aggregate hold that the other never signed; its holder cannot prove possession.
func TestCONS12RogueKeysNeedAProof(t *testing.T) {
	victim, liar := NewKey(filled(1)), NewKey(filled(2))
	v, _ := victim.Public().point()
	v.Neg()
	l, _ := liar.Public().point()
	l.Add(l, v)
	rogue := PublicKey(l.BytesCompressed())
	set, err := NewKeys([]PublicKey{victim.Public(), rogue})
	if err != nil {
		t.Fatal(err)
	}
	if err := set.VerifyAggregate(func(int) bool { return true }, message, liar.Sign(message)); err != nil {
		t.Fatalf("the attack that possession prevents does not work: %v", err)
	}
	for _, proof := range []Signature{liar.ProvePossession(), liar.sign(rogue[:], keys.TagBLSPop)} {
		if err := VerifyPossession(rogue, proof); !errors.Is(err, ErrSignature) {
			t.Errorf("a rogue key has a proof: %v", err)
		}
	}
}

func TestCONS12CombineNamesBadShares(t *testing.T) {
	const n = 9
	secrets, set, shares := members(t, n)
	ruin := map[string]func(i int) Signature{
		"signed another message": func(i int) Signature { return secrets[i].Sign([]byte("massage")) },
		"malformed":              func(int) Signature { return Signature{} },
		"the identity":           func(int) Signature { return identity() },
		"one thing or another": func(i int) Signature {
			if i%4 == 0 {
				return Signature{}
			}
			return shares[(i+1)%n].Sig
		},
		"a neighbour's": func(i int) Signature { return secrets[(i+1)%n].Sign(message) },
	}
	for name, f := range ruin {
		for _, bad := range [][]int{{0}, {8}, {3, 4}, {0, 2, 8}} {
			s := slices.Clone(shares)
			for _, i := range bad {
				s[i].Sig = f(i)
			}
			sig, named, err := set.Combine(message, s)
			if err != nil || !slices.Equal(named, bad) {
				t.Errorf("%s, %v: named %v, %v", name, bad, named, err)
			}
			if err := set.VerifyAggregate(in(without(shares, bad...)), message, sig); err != nil {
				t.Errorf("%s, %v: the rest: %v", name, bad, err)
			}
		}
	}
	sig, bad, err := set.Combine(message, shares)
	if err != nil || len(bad) != 0 || sig != sum(t, sigs(shares)...) {
		t.Errorf("good shares: %v, %v", bad, err)
	}
	wrong := slices.Clone(shares[:2])
	wrong[0].Sig, wrong[1].Sig = Signature{}, identity()
	if _, bad, err := set.Combine(message, wrong); !errors.Is(err, ErrSignature) || !slices.Equal(bad, []int{0, 1}) {
		t.Errorf("no good share: %v, %v", bad, err)
	}
	if _, _, err := set.Combine(message, nil); !errors.Is(err, ErrSignature) {
		t.Errorf("no share: %v", err)
	}
}

// TestCONS12SharesThatErrTogether: errors that cancel leave a sum that holds.
func TestCONS12SharesThatErrTogether(t *testing.T) {
	_, set, shares := members(t, 3)
	s := slices.Clone(shares)
	s[0].Sig, s[1].Sig = s[1].Sig, s[0].Sig
	sig, bad, err := set.Combine(message, s)
	if err != nil || len(bad) != 0 || sig != sum(t, sigs(shares)...) {
		t.Errorf("%v, %v", bad, err)
	}
}

// benchmark message: the size of what CONS-12 signs.
var final = bytes.Repeat([]byte{1}, 96)

func BenchmarkSign(b *testing.B) {
	key := NewKey(filled(1))
	for b.Loop() {
		key.Sign(final)
	}
}

func BenchmarkVerify(b *testing.B) {
	_, set, shares := members(b, 1)
	for b.Loop() {
		if err := set.Verify(0, message, shares[0].Sig); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyAggregate checks an aggregate of two thirds of n members.
func BenchmarkVerifyAggregate(b *testing.B) {
	for _, n := range []int{4, 100} {
		_, set, shares := members(b, n)
		q := 2*n/3 + 1
		sig := sum(b, sigs(shares[:q])...)
		b.Run(fmt.Sprint("n=", n), func(b *testing.B) {
			for b.Loop() {
				if err := set.VerifyAggregate(func(i int) bool { return i < q }, message, sig); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCombine adds up the shares of two thirds of n members, once all good
// and once with one bad.
func BenchmarkCombine(b *testing.B) {
	for _, n := range []int{4, 100} {
		_, set, shares := members(b, n)
		q := 2*n/3 + 1
		for _, bad := range []int{0, 1} {
			s := slices.Clone(shares[:q])
			if bad == 1 {
				s[q/2].Sig = s[0].Sig
			}
			b.Run(fmt.Sprintf("n=%d/bad=%d", n, bad), func(b *testing.B) {
				for b.Loop() {
					if _, named, err := set.Combine(message, s); err != nil || len(named) != bad {
						b.Fatal(named, err)
					}
				}
			})
		}
	}
}

func BenchmarkNewKeys(b *testing.B) {
	secrets, _, _ := members(b, 100)
	var pks []PublicKey
	for _, s := range secrets {
		pks = append(pks, s.Public())
	}
	for b.Loop() {
		if _, err := NewKeys(pks); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzCombine reads shares of four members out of data: what comes out holds for
// those who are not named, and nobody with a good share is named.
func FuzzCombine(f *testing.F) {
	_, set, shares := members(f, 4)
	var good []byte
	for _, s := range shares {
		good = append(good, s.Sig[:]...)
	}
	f.Add(good)
	f.Add(slices.Concat(good[:96], offGroupG1(), good[:48]))
	f.Add(make([]byte, 4*SignatureSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		var some []Share
		for i := 0; i < 4 && len(data) >= SignatureSize; i, data = i+1, data[SignatureSize:] {
			some = append(some, Share{i, Signature(data[:SignatureSize])})
		}
		sig, bad, err := set.Combine(message, some)
		if err != nil {
			if !errors.Is(err, ErrSignature) {
				t.Fatal(err)
			}
			return
		}
		if err := set.VerifyAggregate(in(without(some, bad...)), message, sig); err != nil {
			t.Fatal(err)
		}
		for _, i := range bad {
			if some[i].Sig == shares[i].Sig {
				t.Fatalf("%d is named with a good share", i)
			}
		}
	})
}
