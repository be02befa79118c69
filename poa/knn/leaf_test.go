// SPDX-License-Identifier: Apache-2.0

package knn

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/detrand"
	"github.com/openledger/openledger/poa"
)

func testJob(t testing.TB, per uint64, judge []bool) *Job {
	t.Helper()
	r := detrand.NewSplitMix(9)
	j, err := NewJob(Params{K: 3, Soft: true, Classes: 3},
		randomPoints(r, 12, 5, 20, 3), randomPoints(r, 10, 5, 20, 3), judge, per)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func totals(t testing.TB, j *Job) []int64 {
	t.Helper()
	sums := make([]int64, j.Atoms())
	for i := range j.Leaves() {
		l, err := j.Leaf(i)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Sum(l, i, sums); err != nil {
			t.Fatal(err)
		}
	}
	return sums
}

func TestTotalsDoNotDependOnTheCut(t *testing.T) {
	want := totals(t, testJob(t, 10, nil))
	for per, leaves := range map[uint64]uint64{1: 10, 3: 4, 7: 2, 100: 1} {
		j := testJob(t, per, nil)
		if j.Leaves() != leaves || !slices.Equal(totals(t, j), want) {
			t.Errorf("%d rows a leaf: %d leaves, totals %v", per, j.Leaves(), totals(t, j))
		}
	}
}

func TestDroppedRowsKeepTheirPlaceAndAddNothing(t *testing.T) {
	judge := []bool{true, false, true, true, false, true, true, true, true, false}
	j := testJob(t, 3, judge)
	if j.Leaves() != 4 {
		t.Fatalf("%d leaves", j.Leaves())
	}
	kept := testJob(t, 3, nil)
	var rows []Point
	for i, v := range kept.valid {
		if judge[i] {
			rows = append(rows, v)
		}
	}
	kept.valid = rows
	if got, want := totals(t, j), totals(t, kept); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	last, err := j.Leaf(3)
	if err != nil || !bytes.Equal(last.Sums, make([]byte, 8*12)) {
		t.Errorf("a leaf of dropped rows is not zero: %v", err)
	}
}

func TestSumRefusesForeignLeaves(t *testing.T) {
	j := testJob(t, 3, nil)
	good, _ := j.Leaf(1)
	for _, c := range []struct {
		name string
		next uint64
		edit func(*Leaf)
		want error
	}{
		{"the wrong turn", 2, func(*Leaf) {}, poa.ErrLeaf},
		{"past the end", 9, func(l *Leaf) { l.Index, l.First = 9, 27 }, poa.ErrLeaf},
		{"other rows", 1, func(l *Leaf) { l.First = 0 }, poa.ErrLeaf},
		{"more rows", 1, func(l *Leaf) { l.Rows = 4 }, poa.ErrLeaf},
		{"an atom too few", 1, func(l *Leaf) { l.Sums = l.Sums[8:] }, poa.ErrLeaf},
		{"an atom too many", 1, func(l *Leaf) { l.Sums = append(bytes.Clone(l.Sums), make([]byte, 8)...) }, poa.ErrLeaf},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := good
			c.edit(&l)
			if err := j.Sum(l, c.next, make([]int64, j.Atoms())); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	full := slices.Repeat([]int64{1<<63 - 1}, j.Atoms())
	for i := range full {
		full[i] *= 1 - 2*int64(i%2)
	}
	if err := j.Sum(good, 1, full); !errors.Is(err, poa.ErrArith) {
		t.Errorf("a sum past int64: got %v", err)
	}
	if _, err := j.Leaf(4); !errors.Is(err, poa.ErrLeaf) {
		t.Errorf("a leaf past the end: got %v", err)
	}
}

func FuzzDecodeLeaf(f *testing.F) {
	l, _ := testJob(f, 3, nil).Leaf(0)
	f.Add(l.Encode())
	f.Add(Leaf{Index: 1 << 63, Rows: 1, Sums: []byte{}}.Encode())
	f.Add(Leaf{Sums: make([]byte, 7)}.Encode())
	f.Add([]byte{0x84, 0x00, 0x00, 0x18, 0x01, 0x40})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := DecodeLeaf(b)
		if err != nil {
			return
		}
		if !bytes.Equal(l.Encode(), b) {
			t.Fatalf("%x decodes but encodes to %x", b, l.Encode())
		}
		j := testJob(t, 3, nil)
		_ = j.Sum(l, l.Index, make([]int64, j.Atoms()))
	})
}
