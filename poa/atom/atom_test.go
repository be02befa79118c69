// SPDX-License-Identifier: Apache-2.0

package atom

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/detrand"
	"github.com/openledger/openledger/poa"
)

func at(height, tx, row uint64) Priority { return Priority{height, tx, row} }

// TestStories tells what becomes of rows, one line per row: its features, label
// and priority, then its fate.
func TestStories(t *testing.T) {
	far := Row{Features: []uint8{200, 200}, Label: 9, At: at(99, 0, 0)} // a judge nobody stands on
	for _, c := range []struct {
		name  string
		train []Row
		valid []Row
		tau   uint64
		want  string
	}{
		{
			"an exact copy joins the earlier row, whatever the order of the files",
			[]Row{{[]uint8{1, 1}, 0, 5, at(7, 0, 0)}, {[]uint8{1, 1}, 0, 3, at(2, 0, 0)}},
			nil, 0, "duplicate-of 1, founder",
		},
		{
			"a near copy joins within tau, and not past it",
			[]Row{{[]uint8{10, 10}, 0, 0, at(1, 0, 0)}, {[]uint8{12, 10}, 0, 1, at(1, 0, 1)}, {[]uint8{10, 13}, 0, 1, at(1, 0, 2)}},
			nil, 4, "founder, duplicate-of 0, founder",
		},
		{
			"a chain does not grow: only founders gather rows",
			[]Row{{[]uint8{10, 0}, 0, 0, at(1, 0, 0)}, {[]uint8{12, 0}, 0, 0, at(1, 0, 1)}, {[]uint8{14, 0}, 0, 0, at(1, 0, 2)}},
			nil, 4, "founder, duplicate-of 0, founder",
		},
		{
			"the nearest founder gathers",
			[]Row{{[]uint8{10, 0}, 0, 0, at(1, 0, 0)}, {[]uint8{16, 0}, 0, 0, at(1, 0, 1)}, {[]uint8{14, 0}, 0, 0, at(1, 0, 2)}},
			nil, 16, "founder, founder, duplicate-of 1",
		},
		{
			"another label at the same place stays and both are marked",
			[]Row{{[]uint8{1, 1}, 0, 0, at(1, 0, 0)}, {[]uint8{1, 1}, 1, 1, at(2, 0, 0)}},
			nil, 4, "founder conflict, founder conflict",
		},
		{
			"wrong labels registered first silence nobody",
			[]Row{{[]uint8{1, 1}, 1, 9, at(1, 0, 0)}, {[]uint8{1, 1}, 0, 0, at(2, 0, 0)}, {[]uint8{1, 1}, 0, 1, at(3, 0, 0)}},
			nil, 0, "founder conflict, founder conflict, duplicate-of 1",
		},
		{
			"a row on an earlier validation row leaves",
			[]Row{{[]uint8{5, 5}, 0, 0, at(9, 0, 0)}, {[]uint8{50, 50}, 0, 0, at(1, 0, 0)}},
			[]Row{{[]uint8{5, 6}, 1, 0, at(3, 0, 0)}}, 1, "leaks-validation 0, founder",
		},
		{
			"a validation row on an earlier row is dropped",
			[]Row{{[]uint8{5, 5}, 0, 0, at(1, 0, 0)}},
			[]Row{{[]uint8{5, 6}, 0, 0, at(3, 0, 0)}, far}, 1, "founder; dropped 0",
		},
		{
			"a dropped validation row silences nobody later",
			[]Row{{[]uint8{5, 5}, 0, 0, at(1, 0, 0)}, {[]uint8{5, 7}, 0, 1, at(9, 0, 0)}},
			[]Row{{[]uint8{5, 6}, 0, 0, at(3, 0, 0)}, far}, 1, "founder, founder; dropped 0",
		},
		{
			"transaction and row decide within a block",
			[]Row{{[]uint8{1}, 0, 0, at(1, 2, 0)}, {[]uint8{1}, 0, 0, at(1, 1, 9)}, {[]uint8{1}, 0, 0, at(1, 1, 8)}},
			[]Row{{[]uint8{99}, 0, 0, at(1, 0, 0)}}, 0, "duplicate-of 2, duplicate-of 2, founder",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			valid := c.valid
			if valid == nil {
				valid = []Row{far}
			}
			s, err := Build(c.train, valid, c.tau)
			if err != nil {
				t.Fatal(err)
			}
			if got := story(s); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func story(s Set) string {
	var parts []string
	for i, f := range s.Rows {
		switch {
		case f.Reason == poa.ReasonLeak:
			parts = append(parts, fmt.Sprintf("%s %d", f.Reason, f.Valid))
		case f.Reason == poa.ReasonDuplicate:
			parts = append(parts, fmt.Sprintf("%s %d", f.Reason, s.Atoms[f.Atom].Founder))
		case s.Atoms[f.Atom].Founder != i:
			parts = append(parts, "lost")
		case s.Atoms[f.Atom].Conflict:
			parts = append(parts, "founder conflict")
		default:
			parts = append(parts, "founder")
		}
	}
	text := strings.Join(parts, ", ")
	if len(s.Dropped) > 0 {
		text += fmt.Sprintf("; dropped %v", s.Dropped[0])
	}
	return text
}

// naive is ATM-03..05 as written, without buckets.
func naive(train, valid []Row, tau uint64) (fates []Fate, founders, kept []int) {
	type item struct {
		valid bool
		i     int
	}
	var items []item
	for i := range train {
		items = append(items, item{false, i})
	}
	for i := range valid {
		items = append(items, item{true, i})
	}
	row := func(x item) Row {
		if x.valid {
			return valid[x.i]
		}
		return train[x.i]
	}
	slices.SortFunc(items, func(x, y item) int { return row(x).At.Compare(row(y).At) })
	fates = make([]Fate, len(train))
	near := func(a, b Row) (uint64, bool) {
		d := dist2(a.Features, b.Features, ^uint64(0))
		return d, d <= tau
	}
	for _, x := range items {
		r := row(x)
		if x.valid {
			ok := !slices.ContainsFunc(founders, func(f int) bool { _, hit := near(train[f], r); return hit })
			if ok {
				kept = append(kept, x.i)
			}
			continue
		}
		if slices.ContainsFunc(kept, func(v int) bool { _, hit := near(valid[v], r); return hit }) {
			fates[x.i] = Fate{Reason: poa.ReasonLeak}
			continue
		}
		best := -1
		for _, f := range founders {
			d, hit := near(train[f], r)
			if !hit || train[f].Label != r.Label {
				continue
			}
			if best >= 0 {
				o, _ := near(train[best], r)
				a, b := train[f].Key(), train[best].Key()
				if d > o || d == o && bytes.Compare(a[:], b[:]) > 0 {
					continue
				}
			}
			best = f
		}
		if best >= 0 {
			fates[x.i] = Fate{Reason: poa.ReasonDuplicate, Atom: int32(best)}
			continue
		}
		fates[x.i] = Fate{Atom: int32(x.i)}
		founders = append(founders, x.i)
	}
	slices.Sort(kept)
	return fates, founders, kept
}

func TestBuildEqualsTheClauses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := detrand.NewSplitMix(rapid.Uint64().Draw(t, "seed"))
		dim, high := rapid.IntRange(1, 4).Draw(t, "dim"), rapid.SampledFrom([]uint64{3, 8, 256}).Draw(t, "high")
		order := r.Perm(60)
		rows := make([]Row, 60)
		for i := range rows {
			f := make([]uint8, dim)
			for j := range f {
				f[j] = uint8(r.Below(high))
			}
			rows[i] = Row{f, uint8(r.Below(3)), uint32(r.Below(4)), at(uint64(order[i])/9, 0, uint64(order[i]))}
		}
		train, valid := rows[:40], rows[40:]
		tau := rapid.SampledFrom([]uint64{0, 1, 4, 1000, 1 << 40, ^uint64(0)}).Draw(t, "tau")
		fates, founders, kept := naive(train, valid, tau)
		s, err := Build(train, valid, tau)
		if len(founders) == 0 || len(kept) == 0 {
			if !errors.Is(err, poa.ErrEmpty) {
				t.Fatalf("nothing left: got %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Atoms) != len(founders) || !slices.Equal(s.Valid, kept) || len(s.Dropped)+len(kept) != len(valid) {
			t.Fatalf("%d atoms, judges %v; want %d, %v", len(s.Atoms), s.Valid, len(founders), kept)
		}
		joined := make([]int, len(train))
		for i, want := range fates {
			got := s.Rows[i]
			if got.Reason != want.Reason {
				t.Fatalf("row %d: %v, want %v", i, got.Reason, want.Reason)
			}
			if got.Reason != poa.ReasonLeak && s.Atoms[got.Atom].Founder != int(want.Atom) {
				t.Fatalf("row %d is in the atom of %d, want %d", i, s.Atoms[got.Atom].Founder, want.Atom)
			}
			if got.Reason == poa.ReasonDuplicate {
				joined[s.Atoms[got.Atom].Founder]++
			}
		}
		for i, a := range s.Atoms {
			if a.Joined != joined[a.Founder] || a.Key != train[a.Founder].Key() {
				t.Fatalf("atom %d: %d joined, want %d", i, a.Joined, joined[a.Founder])
			}
			if i > 0 && bytes.Compare(s.Atoms[i-1].Key[:], a.Key[:]) >= 0 {
				t.Fatal("atoms are not in content-key order")
			}
		}
	})
}

// TestOwnersAreNotLookedAt permutes the owners: the atoms stay (ATM-01).
func TestOwnersAreNotLookedAt(t *testing.T) {
	r := detrand.NewSplitMix(5)
	rows := make([]Row, 50)
	for i := range rows {
		rows[i] = Row{[]uint8{uint8(r.Below(30)), uint8(r.Below(30))}, uint8(r.Below(2)), uint32(i), at(1, 0, uint64(i))}
	}
	a, err := Build(rows[:40], rows[40:], 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		rows[i].Owner = uint32(50 - i)
	}
	if b, err := Build(rows[:40], rows[40:], 2); err != nil || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("another set of owners gives other atoms: %v", err)
	}
}

func TestTau(t *testing.T) {
	for _, c := range []struct {
		name string
		d, r uint64
		want uint64
	}{
		{"digits, 8×8 pixels of 0..16", 64, 16, 16},
		{"full bytes", 64, 255, 4064},
		{"rounds down", 1, 31, 0},
		{"one unit", 1, 32, 1},
		{"int16 in 65,536 dimensions", 1 << 16, 65535, 274869518400},
		{"beyond the bounds is everything", 1 << 40, 1 << 20, ^uint64(0)},
		{"beyond 128 bits too", 2, 1 << 33, ^uint64(0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Tau(c.d, c.r); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestBuildRefuses(t *testing.T) {
	one := Row{Features: []uint8{1}, At: at(1, 0, 0)}
	other := Row{Features: []uint8{9}, At: at(2, 0, 0)}
	for _, c := range []struct {
		name  string
		train []Row
		valid []Row
		want  error
	}{
		{"no rows", nil, []Row{one}, poa.ErrEmpty},
		{"no validation rows", []Row{one}, nil, poa.ErrEmpty},
		{"no features", []Row{{At: at(1, 0, 0)}}, []Row{{At: at(2, 0, 0)}}, poa.ErrRange},
		{"another width", []Row{one}, []Row{{Features: []uint8{1, 2}}}, poa.ErrShape},
		{"one priority twice", []Row{one, {Features: []uint8{3}, At: at(1, 0, 0)}}, []Row{other}, poa.ErrRange},
		{"every row leaks", []Row{{Features: []uint8{9}, At: at(3, 0, 0)}}, []Row{other}, poa.ErrEmpty},
		{"every validation row is dropped", []Row{one}, []Row{{Features: []uint8{1}, At: at(2, 0, 0)}}, poa.ErrEmpty},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Build(c.train, c.valid, 0); !errors.Is(err, c.want) || !errors.Is(err, poa.ErrInput) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func BenchmarkBuild1200x600x64(b *testing.B) {
	r := detrand.NewSplitMix(1)
	rows := make([]Row, 1800)
	for i := range rows {
		f := make([]uint8, 64)
		for j := range f {
			f[j] = uint8(r.Below(17))
		}
		rows[i] = Row{Features: f, Label: uint8(r.Below(10)), At: at(1, 0, uint64(i))}
	}
	for b.Loop() {
		if _, err := Build(rows[:1200], rows[1200:], Tau(64, 16)); err != nil {
			b.Fatal(err)
		}
	}
}
