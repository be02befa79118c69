// SPDX-License-Identifier: Apache-2.0

package gputest

import (
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
)

// TestOP02AnElementReadsWhatItsSignatureSays counts reads of elements: each exists,
// and there are at most Sig.Reads.
func TestOP02AnElementReadsWhatItsSignatureSays(t *testing.T) {
	for _, op := range fx.Ops() {
		most := 0.0
		for n := range 12 {
			c := NewCase(op, 3, n, 1<<12)
			form, err := fx.NewForm(op, c.Node.Attrs)
			if err != nil {
				t.Fatal(err)
			}
			r := newSource(uint64(n), op, n)
			for range 20 {
				reads := uint64(0)
				i := r.below(c.Sig.Out.Len)
				got := form.Elem(i, func(k int, at uint64) uint32 {
					if at >= c.Sig.In[k].Len {
						t.Fatalf("%s %d: element %d reads element %d of input %d, which has %d", op, c.Node.Attrs, i, at, k, c.Sig.In[k].Len)
					}
					reads++
					return gpu.Load(c.Sig.In[k].Type, c.In[k], at)
				})
				if reads > c.Sig.Reads {
					t.Fatalf("%s %d: element %d reads %d scalars, its signature says %d", op, c.Node.Attrs, i, reads, c.Sig.Reads)
				}
				if c.Sig.Reads > 0 {
					most = max(most, float64(reads)/float64(c.Sig.Reads))
				}
				if again := fx.Elem(op, c.Node.Attrs, i, func(k int, at uint64) uint32 { return gpu.Load(c.Sig.In[k].Type, c.In[k], at) }); again != got {
					t.Fatalf("%s %d: Form.Elem and Elem differ at %d", op, c.Node.Attrs, i)
				}
			}
		}
		if len(NewCase(op, 3, 0, 1<<12).In) > 0 && most < 0.5 && op != fx.OpMergePairs {
			t.Errorf("%s: no element reads even half of what the signature says (%.2f)", op, most)
		}
	}
}

// TestDSP05ChainsAreCutAnywhere computes every chain in random parts from posted
// accumulators.
func TestDSP05ChainsAreCutAnywhere(t *testing.T) {
	chains := 0
	for _, op := range fx.Ops() {
		if NewCase(op, 4, 0, 1<<10).Sig.Terms == 0 {
			continue
		}
		chains++
		for n := range 24 {
			c := NewCase(op, 4, n, 1<<12)
			read := func(k int, at uint64) uint32 { return gpu.Load(c.Sig.In[k].Type, c.In[k], at) }
			r := newSource(uint64(n), op, n)
			for range 10 {
				i := r.below(c.Sig.Out.Len)
				acc := uint32(0)
				for at := uint64(0); at < c.Sig.Terms; {
					end := at + 1 + r.below(c.Sig.Terms-at)
					acc = fx.Chain(op, c.Node.Attrs, i, at, end, acc, read)
					at = end
				}
				if want := fx.Elem(op, c.Node.Attrs, i, read); acc != want {
					t.Fatalf("%s %d: element %d in parts is %08x, whole %08x", op, c.Node.Attrs, i, acc, want)
				}
			}
		}
	}
	if chains != 7 {
		t.Errorf("%d operations are chains, want 7", chains)
	}
}
