// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"encoding/binary"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// The order that a device keeps between steps is never that of another epoch, seed or
// number of records.
func TestTNS04RowsOfAStepWhateverWasAskedBefore(t *testing.T) {
	d, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, c := range []struct{ n, records, seed, step uint64 }{
		{32, 1197, 1, 0}, {32, 1197, 1, 1}, // of one epoch
		{32, 1197, 1, 37}, {32, 1197, 1, 38}, // across its end
		{32, 1197, 1, 40}, {32, 1197, 2, 40}, {32, 700, 2, 40}, // another epoch, seed, number alone
		{32, 5, 2, 0}, {3, 5, 2, 1}, {7, 1, 2, 1 << 30}, // many epochs in a step; one record
		{2, 1 << 30, 3, 1<<31 - 1}, // no table
	} {
		attrs := []uint64{c.n, c.records, c.seed}
		in, err := d.Alloc(fx.I32, 1)
		if err != nil {
			t.Fatal(err)
		}
		out, err := d.Alloc(fx.I32, c.n)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 4*c.n)
		if err := d.Upload(in, binary.LittleEndian.AppendUint32(nil, uint32(c.step))); err != nil {
			t.Fatal(err)
		}
		if err := d.Run(program.Node{Op: fx.OpPerm, Attrs: attrs, In: []uint64{0}, Shape: []uint64{c.n}}, []gpu.Buffer{in}, out); err != nil {
			t.Fatal(err)
		}
		if err := d.Download(got, out); err != nil {
			t.Fatal(err)
		}
		for r := range c.n {
			want := fx.Elem(fx.OpPerm, attrs, r, func(int, uint64) uint32 { return uint32(c.step) })
			if v := binary.LittleEndian.Uint32(got[4*r:]); v != want {
				t.Fatalf("%+v: row %d is record %d, not %d", c, r, v, want)
			}
		}
	}
}
