// SPDX-License-Identifier: Apache-2.0

package kern

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"unsafe"

	"github.com/openledger/openledger/internal/fx"
)

// guarded returns memory between two pages that fault on any access.
func guarded(t *testing.T, bytes int) []byte {
	t.Helper()
	page := syscall.Getpagesize()
	n := (bytes + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, n+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(m) })
	for _, guard := range [][]byte{m[:page], m[n+page:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return m[page : page+n]
}

// arena hands out the first or the last n elements of its memory.
type arena[T any] []byte

func (a arena[T]) slice(n int, atEnd bool) []T {
	var zero T
	bytes := n * int(unsafe.Sizeof(zero))
	off := 0
	if atEnd {
		off = len(a) - bytes
	}
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&a[off])), n)
}

// TestNoKernelLeavesItsSlices runs every kernel on slices that touch an
// unmapped page on one side: a read or write outside is a crash.
func TestNoKernelLeavesItsSlices(t *testing.T) {
	const size = 1 << 16
	var mem [5]arena[float32]
	for i := range mem {
		mem[i] = guarded(t, 4*size)
	}
	bytes := [2]arena[int8]{guarded(t, size), guarded(t, size)}
	r := rand.New(rand.NewPCG(5, 5))
	onPaths(t, func(t *testing.T, c CPU) {
		for _, atEnd := range []bool{false, true} {
			for op := range ops {
				for n := range 67 {
					var in [4][]float32
					for i := range in {
						in[i] = mem[i].slice(n, atEnd)
					}
					c.Elem(op, mem[4].slice(n, atEnd), Scalars{1, 2, 3, 4, 5}, in[:arity[op].in]...)
				}
			}
			for n := range 200 {
				x := mem[0].slice(n, atEnd)
				_, _, _ = c.RedSum(x), c.RedSumSq(x), c.RedMax(x)
				c.Words(arena[uint32](mem[1]).slice(4*n, atEnd), fx.Stream{Purpose: 1}, uint64(n), 1)
				_ = c.Quantise(bytes[0].slice(n, atEnd), x)
			}
			for range 400 {
				g := Mat{M: 1 + r.IntN(30), N: 1 + r.IntN(70), K: r.IntN(70)}
				g.TA, g.TB = r.IntN(2) == 0, r.IntN(2) == 0
				lda, a := extent(r, g.M, g.K, g.TA)
				ldb, b := extent(r, g.N, g.K, g.TB)
				g.LDA, g.LDB, g.LDC = lda, ldb, g.N+r.IntN(2)
				g.A, g.B = mem[0].slice(a, atEnd), mem[1].slice(b, atEnd)
				g.C = mem[2].slice((g.M-1)*g.LDC+g.N, atEnd)
				c.Gemm(new(Worker), g)
				q := MatI8{M: g.M, N: g.N, K: 1 + r.IntN(300), G: 128}
				q.A, q.B = bytes[0].slice(q.M*q.K, atEnd), bytes[1].slice(q.N*q.K, atEnd)
				q.SA, q.SB = mem[0].slice(3*q.M, atEnd), mem[1].slice(3*q.N, atEnd)
				q.C = mem[2].slice(q.M*q.N, atEnd)
				c.GemmI8(new(Worker), q)
			}
		}
	})
}
