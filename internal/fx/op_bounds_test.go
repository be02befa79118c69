// SPDX-License-Identifier: Apache-2.0

package fx_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/fx"
)

// A referee gives Elem whatever two parties posted: any bits, in indices too. It
// must read only elements that exist.
func TestOP02ElemReadsOnlyWhatExists(t *testing.T) {
	for _, op := range fx.Ops() {
		t.Run(op.String(), func(t *testing.T) {
			n := len(op.AttrNames())
			attrs := rapid.SliceOfN(rapid.OneOf(rapid.Uint64Range(0, 2), rapid.Uint64Range(0, 12)), n, n)
			rapid.Check(t, func(t *rapid.T) {
				attrs := attrs.Filter(func(a []uint64) bool { _, err := fx.Check(op, a); return err == nil }).Draw(t, "attrs")
				sig, _ := fx.Check(op, attrs)
				word := rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(0, 12))
				read := func(in int, i uint64) uint32 {
					if in >= len(sig.In) || i >= sig.In[in].Len {
						t.Fatalf("%v reads element %d of input %d", attrs, i, in)
					}
					switch w := word.Draw(t, "w"); sig.In[in].Type.Size() {
					case 1:
						return uint32(int32(int8(w)))
					case 2:
						return w & 0xffff
					default:
						return w
					}
				}
				fx.Elem(op, attrs, rapid.Uint64Range(0, sig.Out.Len-1).Draw(t, "i"), read)
			})
		})
	}
}
