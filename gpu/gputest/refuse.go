// SPDX-License-Identifier: Apache-2.0

package gputest

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// stranger is a buffer that no device made.
type stranger struct{}

func (stranger) Type() fx.Type      { return fx.F32 }
func (stranger) Len() uint64        { return 8 }
func (stranger) Region() gpu.Region { return gpu.Region{ID: 1, Len: 32} }

// Refusals returns an error for everything that d accepts but must refuse, or
// refuses with another error. Spec: GPU-01.
func Refusals(d gpu.Device) []error {
	var out []error
	fail := func(format string, a ...any) { out = append(out, fmt.Errorf(format, a...)) }
	want := func(what string, got, sentinel error) {
		if !errors.Is(got, sentinel) {
			fail("%s gives %v, want %v", what, got, sentinel)
		}
	}
	alloc := func(t fx.Type, n uint64) gpu.Buffer {
		b, err := d.Alloc(t, n)
		if err != nil {
			fail("allocating %d of %s: %v", n, t, err)
		}
		return b
	}
	a, b, c, i := alloc(fx.F32, 8), alloc(fx.F32, 8), alloc(fx.F32, 8), alloc(fx.I32, 8)
	if len(out) > 0 {
		return out
	}
	err := func(_ gpu.Buffer, err error) error { return err }
	want("allocating nothing", err(d.Alloc(fx.F32, 0)), gpu.ErrArgs)
	want("allocating an unknown type", err(d.Alloc(99, 1)), gpu.ErrArgs)
	want("allocating more than any tensor has", err(d.Alloc(fx.I8, fx.MaxLen+1)), gpu.ErrArgs)
	if most := d.Info().Memory / 4; most < fx.MaxLen {
		want("allocating more than the memory", err(d.Alloc(fx.F32, most+1)), gpu.ErrMemory)
	}
	want("a view past the end", err(d.View(a, 4, 5)), gpu.ErrArgs)
	want("a view whose end wraps", err(d.View(a, ^uint64(0), 2)), gpu.ErrArgs)
	want("a view of nothing", err(d.View(a, 0, 0)), gpu.ErrArgs)
	want("a view of another device's buffer", err(d.View(stranger{}, 0, 1)), gpu.ErrArgs)
	want("an upload of the wrong length", d.Upload(a, make([]byte, 31)), gpu.ErrArgs)
	want("a download of the wrong length", d.Download(make([]byte, 33), a), gpu.ErrArgs)
	want("an upload to another device's buffer", d.Upload(stranger{}, make([]byte, 32)), gpu.ErrArgs)

	add := program.Node{Op: fx.OpAdd, Attrs: []uint64{2, 4, fx.Full, fx.Full}, In: []uint64{0, 1}, Shape: []uint64{2, 4}}
	two := []gpu.Buffer{a, b}
	want("an input too few", d.Run(add, []gpu.Buffer{a}, c), gpu.ErrArgs)
	want("no input buffer", d.Run(add, []gpu.Buffer{a, nil}, c), gpu.ErrArgs)
	want("no output buffer", d.Run(add, two, nil), gpu.ErrArgs)
	want("an input of another type", d.Run(add, []gpu.Buffer{a, i}, c), gpu.ErrArgs)
	want("an output of another type", d.Run(add, two, i), gpu.ErrArgs)
	want("another device's buffer", d.Run(add, []gpu.Buffer{a, stranger{}}, c), gpu.ErrArgs)
	short := add
	short.Attrs, short.Shape = []uint64{2, 3, fx.Full, fx.Full}, []uint64{6}
	want("inputs of another length", d.Run(short, two, c), gpu.ErrArgs)
	bad := add
	bad.Attrs = []uint64{2, 4, fx.Full, 7}
	want("attributes out of bounds", d.Run(bad, two, c), gpu.ErrArgs)
	bad.Op = 9999
	want("an unknown operation", d.Run(bad, two, c), gpu.ErrArgs)

	half, e1 := d.View(a, 0, 4)
	other, e2 := d.View(a, 2, 4)
	if e1 != nil || e2 != nil {
		fail("views: %v %v", e1, e2)
		return out
	}
	neg := program.Node{Op: fx.OpNeg, Attrs: []uint64{4}, In: []uint64{0}, Shape: []uint64{4}}
	want("an output that overlaps its input in part", d.Run(neg, []gpu.Buffer{half}, other), gpu.ErrArgs)
	gemm := program.Node{Op: fx.OpGemm, Attrs: []uint64{1, 2, 2, 4, 1, 0, 0}, In: []uint64{0, 1}, Shape: []uint64{2, 2}}
	want("a product into its own input", d.Run(gemm, two, half), gpu.ErrArgs)

	want("freeing a view", d.Free(half), gpu.ErrArgs)
	want("freeing another device's buffer", d.Free(stranger{}), gpu.ErrArgs)
	for _, x := range []gpu.Buffer{a, b, c, i} {
		if err := d.Free(x); err != nil {
			fail("freeing: %v", err)
		}
	}
	want("freeing twice", d.Free(a), gpu.ErrArgs)
	want("running on freed buffers", d.Run(add, two, c), gpu.ErrArgs)
	want("a view of a freed buffer", err(d.View(a, 0, 1)), gpu.ErrArgs)
	want("using a view of a freed buffer", d.Upload(half, make([]byte, 16)), gpu.ErrArgs)
	if err := d.Sync(); err != nil {
		fail("after refusals Sync gives %v", err)
	}
	return out
}
