// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"testing"

	"github.com/openledger/openledger/internal/merkle"
)

// stateOf fills a store on disk with n keys of 100 bytes in blocks of 20,000.
func stateOf(b *testing.B, dir string, n int) *Store {
	s, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for from := 0; from < n; from += 20_000 {
		mustCommit(b, s, benchWrites(from, min(n-from, 20_000), 1)...)
	}
	return s
}

// benchWrites are n writes of 100 bytes to keys spread over the state.
func benchWrites(from, n, step int) []merkle.KV {
	out := make([]merkle.KV, n)
	for i := range out {
		v := make([]byte, 100)
		copy(v, fmt.Sprint(from, i, step))
		out[i] = merkle.KV{Key: fmt.Appendf(nil, "\x01%032d", from+i*step), Value: v}
	}
	return out
}

// BenchmarkStateRoot computes the root of 2,000 updates in a state of 200,000
// keys on disk.
func BenchmarkStateRoot(b *testing.B) {
	s := stateOf(b, b.TempDir(), 200_000)
	defer s.Close()
	h, _ := s.Head()
	v, err := s.View(h.Height)
	if err != nil {
		b.Fatal(err)
	}
	i := 0
	for b.Loop() {
		if _, _, _, err := merkle.Update(v, h.Root, h.Height+1, benchWrites(i%90, 2_000, 97)); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(2_000*float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}

// BenchmarkCommit commits blocks of 20 KB with 400 writes in a state of 200,000
// keys, the tree update included, without and with a sync each 64 blocks.
func BenchmarkCommit(b *testing.B) {
	s := stateOf(b, b.TempDir(), 200_000)
	defer s.Close()
	for _, every := range []int{0, 64, 1} {
		b.Run(fmt.Sprint("sync every ", every), func(b *testing.B) {
			i := 0
			for b.Loop() {
				blk := block(b, s, benchWrites(i%400, 400, 487)...)
				blk.Body = make([]byte, 20_000)
				if err := s.Commit(blk); err != nil {
					b.Fatal(err)
				}
				if i++; every > 0 && i%every == 0 {
					if err := s.Sync(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkCommitAlone leaves the tree update out.
func BenchmarkCommitAlone(b *testing.B) {
	s := stateOf(b, b.TempDir(), 200_000)
	defer s.Close()
	blk := block(b, s, benchWrites(0, 400, 487)...)
	blk.Body = make([]byte, 20_000)
	for b.Loop() {
		if err := s.Commit(blk); err != nil {
			b.Fatal(err)
		}
		blk.Height++
	}
}

// BenchmarkReopen closes and opens a ledger of 200,000 keys.
func BenchmarkReopen(b *testing.B) {
	dir := b.TempDir()
	s := stateOf(b, dir, 200_000)
	for b.Loop() {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		var err error
		if s, err = Open(dir, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	s.Close()
}

func BenchmarkGet(b *testing.B) {
	s := stateOf(b, b.TempDir(), 200_000)
	defer s.Close()
	h, _ := s.Head()
	v, _ := s.View(h.Height)
	i := 0
	for b.Loop() {
		if _, err := v.Get(fmt.Appendf(nil, "\x01%032d", i*7919%200_000)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
