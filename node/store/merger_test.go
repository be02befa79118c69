// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"fmt"
	"testing"
)

// tables counts the tables of unsorted writes.
func tables(b *badgerEngine) int {
	for _, l := range b.db.Levels() {
		if l.Level == 0 {
			return l.NumTables
		}
	}
	return 0
}

func TestADatabaseWithoutCompactorsIsMergedAsItGrowsAndWhenItIsOpened(t *testing.T) {
	dir := t.TempDir()
	p := profile{memTable: 1, memTables: 2, valueLog: 8, still: true}
	open := func() *badgerEngine {
		t.Helper()
		b, err := openBadger(dir, p, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	put := func(b *badgerEngine, i, size int) {
		t.Helper()
		if err := b.write(localTime, []entry{{fmt.Appendf(nil, "k/%d", i%50), bytes.Repeat([]byte{byte(i)}, size)}}); err != nil {
			t.Fatal(err)
		}
	}
	b := open()
	for i := range 800 { // 40 tables
		put(b, i, 50_000)
	}
	b.merge.wait()
	if n := tables(b); n > 4*mergeTables {
		t.Errorf("%d tables are not merged", n)
	}
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 * mergeTables {
		b = open()
		if n := tables(b); n > mergeTables {
			t.Fatalf("opened for the %d. time with %d tables", i, n)
		}
		for k := range 50 {
			if i == 0 && k == 7 {
				continue
			}
			put(b, k, 100)
		}
		for k := range 50 {
			v, err := b.get(fmt.Appendf(nil, "k/%d", k), localTime)
			want := 100
			if i == 0 && k == 7 {
				want = 50_000
			}
			if err != nil || len(v) != want {
				t.Fatalf("record %d has %d bytes, want %d, error %v", k, len(v), want, err)
			}
		}
		if err := b.close(); err != nil {
			t.Fatal(err)
		}
	}
}
