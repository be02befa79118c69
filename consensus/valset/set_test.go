// SPDX-License-Identifier: Apache-2.0

package valset

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/vrf"
)

// makeSet gives validator i the power powers[i].
func makeSet(t testing.TB, powers ...uint64) *Set {
	t.Helper()
	s, err := New(4, entries(powers...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func entries(powers ...uint64) (out []Entry) {
	for i, p := range powers {
		h := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		out = append(out, Entry{Address: h, Key: keys.PublicKey(sha256.Sum256(h[:])), Power: p})
	}
	return out
}

func TestQuorumsShareMoreThanTheFaulty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		powers := rapid.SliceOfN(rapid.Uint64Range(1, 1<<40), 1, 12).Draw(t, "powers")
		s, err := New(0, entries(powers...))
		if err != nil {
			t.Fatal(err)
		}
		w, q, f := s.Total(), s.Quorum(), s.Faulty()
		// The naive twin, by the words of CONS-02.
		sum := new(big.Int)
		for _, p := range powers {
			sum.Add(sum, new(big.Int).SetUint64(p))
		}
		twice := new(big.Int).Mul(sum, big.NewInt(2))
		naive := new(big.Int).Add(new(big.Int).Div(twice, big.NewInt(3)), big.NewInt(1))
		if sum.Uint64() != w || naive.Uint64() != q {
			t.Fatalf("W %d, q %d; want %v, %v", w, q, sum, naive)
		}
		if w-f < q || 2*q-w < f+1 || 3*f >= w || 3*(f+1) < w {
			t.Fatalf("W %d, q %d, f %d", w, q, f)
		}
	})
}

func TestSetOrderIsPowerThenAddress(t *testing.T) {
	s := makeSet(t, 3, 9, 3, 1, 9)
	for i := 1; i < s.Len(); i++ {
		a, b := s.Entry(i-1), s.Entry(i)
		if a.Power < b.Power || a.Power == b.Power && slices.Compare(a.Address[:], b.Address[:]) >= 0 {
			t.Errorf("%d before %d", a.Power, b.Power)
		}
		if s.Index(b.Key) != i {
			t.Errorf("index %d of validator %d", s.Index(b.Key), i)
		}
	}
	if s.Index(keys.PublicKey{}) != -1 {
		t.Error("a stranger has an index")
	}
	e := entries(3, 9, 3, 1, 9)
	slices.Reverse(e)
	if again, _ := New(4, e); again.Hash() != s.Hash() {
		t.Error("the hash depends on the order of the input")
	}
	if other, _ := New(5, e); other.Hash() == s.Hash() {
		t.Error("the hash does not depend on the epoch")
	}
}

func TestNewRefuses(t *testing.T) {
	twice := entries(1, 1)
	twice[1].Key = twice[0].Key
	twin := entries(1, 1)
	twin[1].Address = twin[0].Address
	part, half, short := entries(1, 1), withKeys(entries(1, 1)), withKeys(entries(1, 1))
	part[0].BLS = make([]byte, bls.PublicKeySize)
	half[1].VRF = nil
	short[0].BLS, short[1].BLS = []byte{1}, []byte{1}
	for name, e := range map[string][]Entry{
		"nobody": nil, "no power": entries(1, 0), "a key twice": twice, "an address twice": twin,
		"a BLS key for some": part, "a VRF key for some": half, "BLS keys of another length": short, "too much power": entries(MaxPower, 1), "an overflow of power": entries(1<<63, 1<<63),
		"too many": entries(slices.Repeat([]uint64{1}, MaxValidators+1)...),
	} {
		if _, err := New(0, e); !errors.Is(err, ErrSet) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(0, entries(slices.Repeat([]uint64{1}, MaxValidators)...)); err != nil {
		t.Errorf("the largest set: %v", err)
	}
}

// withKeys gives every validator a BLS and a VRF key.
func withKeys(e []Entry) []Entry {
	for i := range e {
		b, v := bls.NewKey(e[i].Key).Public(), vrf.NewKey(e[i].Key).Public()
		e[i].BLS, e[i].VRF = b[:], v[:]
	}
	return e
}

func TestKeysOfASet(t *testing.T) {
	plain, _ := New(0, entries(3, 1))
	full, err := New(0, withKeys(entries(3, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if plain.Aggregates() || plain.Draws() || !full.Aggregates() || !full.Draws() || plain.Hash() == full.Hash() {
		t.Error("which keys a set has")
	}
	if again, err := Decode(full.Encode()); err != nil || again.Hash() != full.Hash() {
		t.Errorf("%v", err)
	}
	if full.VRF(1) != vrf.NewKey(full.Key(1)).Public() {
		t.Error("another VRF key")
	}
	if p, err := plain.Prepared(); err != nil || p.Hash() != plain.Hash() || p.Aggregates() {
		t.Errorf("a set without BLS keys is not prepared: %v", err)
	}
	if _, err := plain.BLS(); !errors.Is(err, ErrSet) {
		t.Errorf("keys of a set without: %v", err)
	}
	p, err := full.Prepared()
	if err != nil || p.Hash() != full.Hash() {
		t.Fatal(err)
	}
	a, _ := p.BLS()
	if b, _ := p.BLS(); a != b || a.Len() != 2 {
		t.Error("a prepared set decodes its keys again")
	}
	if again, _ := p.Prepared(); again != p {
		t.Error("it is prepared twice")
	}
	if k, err := full.BLS(); err != nil || k == a || k.Len() != 2 {
		t.Errorf("%v", err)
	}
	bad := withKeys(entries(1))
	bad[0].BLS = make([]byte, bls.PublicKeySize)
	s, err := New(0, bad)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prepared(); !errors.Is(err, ErrSet) {
		t.Errorf("a BLS key that is no point: %v", err)
	}
}

// TestScheduleIsFair compares with the rule written naively and counts turns.
func TestScheduleIsFair(t *testing.T) {
	for _, powers := range [][]uint64{{1}, {5, 5, 5, 5}, {3, 2, 2, 2}, {40, 30, 20, 10}, {7, 1, 1}, {9, 8, 5, 4, 2, 1, 1}} {
		s := makeSet(t, powers...)
		seed := sha256.Sum256([]byte("seed"))
		want := naive(s, seed, 300)
		sched := NewSchedule(s, seed)
		for v := uint64(1); v <= 300; v++ {
			if got := sched.Leader(v); got != want[v] {
				t.Fatalf("powers %v: view %d is led by %d, want %d", powers, v, got, want[v])
			}
		}
		g := uint64(0)
		for i := range s.Len() {
			g = gcd(g, s.Power(i))
		}
		turns := make([]uint64, s.Len())
		for v := uint64(1); v <= s.Total()/g; v++ {
			turns[sched.Leader(v)]++
		}
		for i, n := range turns {
			if n != s.Power(i)/g {
				t.Errorf("powers %v: validator %d leads %d views, want %d", powers, i, n, s.Power(i)/g)
			}
		}
	}
}

func naive(s *Set, seed [32]byte, views int) []int {
	order := make([]int, s.Len())
	rank := func(i int) []byte {
		k := s.Key(i)
		h := sha256.Sum256(append(bytes.Clone(seed[:]), k[:]...))
		return h[:]
	}
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(rank(a), rank(b)) })
	credit := map[int]int64{}
	out := []int{0}
	for range views {
		best := -1
		for _, i := range order {
			credit[i] += int64(s.Power(i))
			if best < 0 || credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= int64(s.Total())
		out = append(out, best)
	}
	return out
}

func TestScheduleAnswersInAnyOrder(t *testing.T) {
	s := makeSet(t, 997, 991, 13, 5) // a period of 2,006 views
	rapid.Check(t, func(t *rapid.T) {
		a, b := NewSchedule(s, [32]byte{1}), NewSchedule(s, [32]byte{1})
		for _, v := range rapid.SliceOfN(rapid.Uint64Range(1, 9_000), 1, 6).Draw(t, "views") {
			fresh := NewSchedule(s, [32]byte{1})
			if got, want := a.Leader(v), fresh.Leader(v); got != want {
				t.Fatalf("view %d: %d, want %d", v, got, want)
			}
			if a.Leader(v) != b.Leader(v+2_006*3) {
				t.Fatalf("view %d differs three periods later", v)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(makeSet(f, 1, 2, 3).Encode())
	f.Add([]byte{0x82, 0, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := Decode(b); err == nil && !bytes.Equal(s.Encode(), b) {
			t.Errorf("%x decodes and encodes to %x", b, s.Encode())
		}
	})
}

func TestDecodeWantsSetOrder(t *testing.T) {
	s := makeSet(t, 1, 2, 3)
	if got, err := Decode(s.Encode()); err != nil || got.Hash() != s.Hash() {
		t.Errorf("%v", err)
	}
	w := wire{Epoch: 4, Entries: entries(1, 2, 3)}
	raw := (&Set{epoch: w.Epoch, entries: w.Entries}).Encode()
	if _, err := Decode(raw); !errors.Is(err, ErrSet) {
		t.Errorf("another order: %v", err)
	}
}

func BenchmarkLeader(b *testing.B) {
	s := NewSchedule(makeSet(b, 997, 991, 13, 5), [32]byte{1})
	v := uint64(0)
	for b.Loop() {
		v++
		s.Leader(v)
	}
}
