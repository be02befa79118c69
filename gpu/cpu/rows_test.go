// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// rowGraph draws operations on rows, with sums over rows and columns between them, so
// that some can run together and others must not; some outputs are written over
// inputs.
func rowGraph(t *rapid.T, rows, cols uint64) program.Graph {
	b := &program.Builder{}
	full := []program.Value{b.Input("x", fx.F32, rows, cols), b.Input("y", fx.F32, rows, cols)}
	perRow := []program.Value{b.Input("r", fx.F32, rows)}
	perCol := []program.Value{b.Input("c", fx.F32, cols)}
	one := []program.Value{b.Const(0x3f000000)}
	lim := &program.Limit{Value: b.Input("lim", fx.I32, rows), Batch: 1, Heads: 1}
	pick := func(list []program.Value) program.Value { return rapid.SampledFrom(list).Draw(t, "value") }
	operand := func() program.Operand {
		switch rapid.IntRange(0, 5).Draw(t, "mode") {
		case 0:
			return program.Row(pick(perRow))
		case 1:
			return program.Col(pick(perCol))
		case 2:
			return program.Scalar(pick(one))
		}
		return program.All(pick(full))
	}
	for range rapid.IntRange(1, 25).Draw(t, "nodes") {
		switch rapid.IntRange(0, 8).Draw(t, "op") {
		case 0:
			full = append(full, b.Each(fx.OpNeg, pick(full)))
		case 1:
			perRow = append(perRow, b.Each(fx.OpExp, pick(perRow)))
		case 2:
			perRow = append(perRow, b.Reduce(fx.OpRedMax, pick(full), lim))
		case 3:
			perRow = append(perRow, b.Reduce(fx.OpRedSum, pick(full), nil))
		case 4:
			perCol = append(perCol, b.ColSum(pick(full)))
		case 5:
			one = append(one, b.Reduce(fx.OpRedSum, b.Reshape(pick(perRow), 1, rows), nil))
		case 6:
			full = append(full, b.Node(fx.OpXentBwd, []uint64{rows, cols, fx.PerRow}, []uint64{rows, cols}, pick(full), lim.Value, pick(perRow)))
		case 7:
			full = append(full, b.Mix(fx.OpFMA, program.All(pick(full)), operand(), operand()))
		default:
			full = append(full, b.Mix(fx.OpMul, operand(), program.All(pick(full))))
		}
	}
	full = append(full, b.Each(fx.OpNeg, pick(full)))
	b.Output("x", full[len(full)-1])
	b.Output("r", perRow[len(perRow)-1])
	b.Output("any", full[rapid.IntRange(min(2, len(full)-1), len(full)-1).Draw(t, "any")])
	b.Output("constant", one[0])
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestGPU01StepsOnRowsRunTogether draws graphs and gives outputs the memory of inputs.
func TestGPU01StepsOnRowsRunTogether(t *testing.T) {
	onPaths(t, func(t *testing.T, d *Device) {
		c := &counter{Device: d}
		rapid.Check(t, func(t *rapid.T) {
			rows, cols := rapid.Uint64Range(10, 70).Draw(t, "rows"), rapid.SampledFrom([]uint64{1, 5, 64, 200, 5000}).Draw(t, "cols")
			g := rowGraph(t, rows, cols)
			want := values(t, struct{ gpu.Device }{d}, g) // one operation after the other
			for i, got := range values(t, c, g) {
				if !bytes.Equal(got, want[i]) {
					t.Fatalf("output %s differs", g.Outputs[i].Name)
				}
			}
		})
		if c.together < 4 {
			t.Errorf("at most %d calls ran together", c.together)
		}
	})
}

// TestGPU01AnUpdateRunsTogether: clipped gradients are not written before the weights
// of another tensor changed, and constants are computed once.
func TestGPU01AnUpdateRunsTogether(t *testing.T) {
	const tensors, n = 3, 1 << 15
	b := &program.Builder{}
	var grads []program.Value
	for i := range tensors {
		x := b.Input(fmt.Sprint("x", i), fx.F32, n, 1)
		grads = append(grads, b.Linear(x, b.Input(fmt.Sprint("w", i), fx.F32, 1, 1)))
	}
	clip := b.Each(fx.OpRsqrt, b.Count(4))
	for i, g := range grads {
		grads[i] = b.Mix(fx.OpMul, program.All(g), program.Scalar(clip))
	}
	one, lr := b.Const(0x3f000000), b.Const(0x3a83126f)
	for i, g := range grads {
		state := func(name string) program.Value { return b.Input(fmt.Sprint(name, i), fx.F32, n, 1) }
		p, m, v := b.AdamW(state("p"), state("m"), state("v"), g, one, one, lr, 0x3f666666, 0x3f7fbe77, 0x322bcc77, 0)
		b.Output(fmt.Sprint("p", i), p)
		b.Output(fmt.Sprint("m", i), m)
		b.Output(fmt.Sprint("v", i), v)
	}
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c := &counts{Device: d}
	values(t, c, g)
	if got := fmt.Sprint(c.runs); got != "[1 1 1 4 4 4]" {
		t.Errorf("runs of %s calls", got)
	}
}

// counts keeps how many calls ran together.
type counts struct {
	*Device
	runs []int
}

func (c *counts) RunCalls(parts uint64, calls []gpu.Call) error {
	c.runs = append(c.runs, len(calls))
	return c.Device.RunCalls(parts, calls)
}
