// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/openledger/openledger/ledger/econ"
)

// MaxAttr bounds the attribution list of one receipt (RCP-01).
const MaxAttr = 16

// TopAttr makes the attribution list of a receipt from every owner's weight of
// 2^40: owners of weight 0 are left out, the MaxAttr heaviest stay (ties: the
// lower owner), in ascending order of owner. The weight of those left out stays
// open and is nobody's. list is not changed.
//
// Errors: ErrFormat if an owner stands in it twice or the weights exceed 2^40.
// Spec: RCP-01, SHR-05.
func TopAttr(list []Attr) ([]Attr, error) {
	out := slices.DeleteFunc(slices.Clone(list), func(a Attr) bool { return a.Weight == 0 })
	slices.SortFunc(out, func(a, b Attr) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), a.Owner.Compare(b.Owner))
	})
	all := slices.Clone(out)
	out = out[:min(len(out), MaxAttr)]
	for _, l := range [][]Attr{all, out} {
		slices.SortFunc(l, func(a, b Attr) int { return a.Owner.Compare(b.Owner) })
	}
	return out, checkAttr(all)
}

// checkAttr verifies that owners ascend and that weights are above zero and sum
// to at most 2^40. Errors: ErrFormat.
func checkAttr(list []Attr) error {
	left := econ.TotalWeight
	for i, a := range list {
		if i > 0 && list[i-1].Owner.Compare(a.Owner) >= 0 {
			return fmt.Errorf("%w: owners not ascending at %d", ErrFormat, i)
		}
		if a.Weight == 0 || a.Weight > left {
			return fmt.Errorf("%w: weight %d of owner %d, 1 to %d left", ErrFormat, a.Weight, i, left)
		}
		left -= a.Weight
	}
	return nil
}
