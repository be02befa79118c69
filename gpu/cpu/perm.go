// SPDX-License-Identifier: Apache-2.0

package cpu

import "github.com/openledger/openledger/internal/fx"

// epoch is the order of the rows of one data epoch. The device keeps the last, which
// the next step needs again: a table of the round function, where the definition
// computes 14 values of Philox for a row of a small dataset.
type epoch struct {
	seed, records uint64
	number        uint32
	order         *fx.Order
}

// perm is perm_rows, row by row: a row from the table takes nanoseconds.
// Spec: FX-06, TNS-04.
func (c *call) perm() {
	n, e := c.attrs[0], &c.epoch
	for r, y := uint64(0), c.yi(); r < n; r++ {
		p := uint64(uint32(c.i(0)[0]))*n + r
		number := uint32(p / c.attrs[1])
		if e.order == nil || e.seed != c.attrs[2] || e.records != c.attrs[1] || e.number != number {
			*e = epoch{c.attrs[2], c.attrs[1], number, fx.NewOrder(c.attrs[2], number, c.attrs[1])}
		}
		y[r] = int32(e.order.At(p % c.attrs[1]))
	}
}
