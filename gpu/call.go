// SPDX-License-Identifier: Apache-2.0

package gpu

import (
	"fmt"

	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Call is one operation of a Plan, checked once for all runs.
type Call struct {
	Node program.Node
	Sig  fx.Sig // of the node
	// Layouts are those of the operands 0 and 1 of an OpGemm and of its output: the last
	// two dimensions are those of one matrix, and the stride of one of them, of the
	// output's last, is 1. nil: contiguous.
	Layouts [3]Layout
	In      []Buffer
	Out     Buffer
}

// Caller is a Device that a Plan has an agreement with: its products read operands and
// leave results in the order of another tensor, so that transposes before and after
// them are left out; and it runs operations on the same rows together, a few rows at
// a time, so that what one writes the next finds in the cache.
type Caller interface {
	Device
	// RunCalls runs a single call, parts being 0, or several whose outputs, and the
	// inputs that they are cut with, are computed in this many equal parts: part i of an
	// output needs part i of what an earlier call wrote, and nothing else of it. The
	// caller answers for that; buffers are checked against each call's Sig.
	// Errors: ErrArgs.
	RunCalls(parts uint64, calls []Call) error
}

// Check verifies the call's buffers, as the function Check does, and its layouts.
// Errors: ErrArgs. Spec: GPU-01.
func (c *Call) Check() error {
	if err := checkBuffers(c.Node.Op, &c.Sig, c.In, c.Out); err != nil {
		return err
	}
	for k, l := range c.Layouts {
		if l == nil {
			continue
		}
		if c.Node.Op != fx.OpGemm {
			return fmt.Errorf("%w: %s has no layouts", ErrArgs, c.Node.Op)
		}
		a := c.Node.Attrs
		want := [3][3]uint64{{a[0], a[1], a[3]}, {a[0] / a[4], a[2], a[3]}, {a[0], a[1], a[2]}}[k]
		if !l.holds(want, k == 2) {
			return fmt.Errorf("%w: layout %v of operand %d of %s", ErrArgs, l, k, c.Node.Op)
		}
	}
	return nil
}

// holds reports whether l is a batch of matrices whose elements all lie among that
// many.
func (l Layout) holds(want [3]uint64, out bool) bool {
	n := len(l)
	if n < 2 || l[n-2].Size != want[1] || l[n-1].Size != want[2] || l[n-1].Stride != 1 && (out || l[n-2].Stride != 1) {
		return false
	}
	size, most := uint64(1), uint64(0)
	for _, d := range l {
		if d.Size < 1 || d.Size > fx.MaxLen || d.Stride > fx.MaxLen || size > fx.MaxLen {
			return false
		}
		size, most = size*d.Size, most+(d.Size-1)*d.Stride
	}
	return size == want[0]*want[1]*want[2] && most < size
}
