// SPDX-License-Identifier: Apache-2.0

package kernels_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/gpu/kernels"
	"github.com/openledger/openledger/internal/fx"
)

// Every item is in one slice, slices end at blocks, and those of many blocks are whole
// waves.
func TestGPU10SlicesAreAllItemsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := kernels.Launch{Items: rapid.Uint64Range(1, 1<<20).Draw(t, "items"), PerBlock: rapid.SampledFrom([]uint64{1, 8, 256}).Draw(t, "per block")}
		n, wave := rapid.Uint64Range(1, 40).Draw(t, "n"), rapid.Uint64Range(0, 300).Draw(t, "wave")
		next, longest := uint64(0), (l.Items+n-1)/n+l.PerBlock
		all := l.Slices(n, wave)
		for i, r := range all {
			if r.First != next || r.Count == 0 || r.Count > longest {
				t.Fatalf("slice %d is %+v after %d", i, r, next)
			}
			blocks := r.Count / l.PerBlock
			if last := i == len(all)-1; !last && (r.Count%l.PerBlock != 0 || wave > 0 && blocks > wave && blocks%wave != 0) {
				t.Fatalf("slice %d of %d items is %d blocks and a part, waves are of %d", i, r.Count, blocks, wave)
			}
			next += r.Count
		}
		if next != l.Items {
			t.Fatalf("%d of %d items", next, l.Items)
		}
	})
}

// Every kernel that a plan names is in an image, and every one of an image is planned.
func TestGPU06PlansNameKernelsThatExist(t *testing.T) {
	names := slices.Concat(kernels.Names(kernels.PTX), kernels.Names(kernels.Tensor))
	planned := map[string]bool{"ol_peak": true}
	plan := func(op fx.Op, attrs []uint64, aligned bool) {
		for _, l := range kernels.Plan(op, attrs, fx.Sig{}, kernels.TensorMajor, aligned) {
			planned[l.Kernel] = true
			if !slices.Contains(names, l.Kernel) {
				t.Errorf("%s: no kernel %s", op, l.Kernel)
			}
			if l.Threads == 0 || l.Threads > 1024 || l.PerBlock == 0 {
				t.Errorf("%s: %+v", op, l)
			}
		}
	}
	for _, op := range fx.Ops() {
		ones := slices.Repeat([]uint64{1}, kernels.MaxAttrs)
		plan(op, ones, true)
	}
	plan(fx.OpGemm, []uint64{1, 9, 3, 4, 1, fx.KBelow, 1}, true)
	plan(fx.OpGemm, []uint64{1, 9, 3, 4, 1, fx.NBelow, 1}, true)
	plan(fx.OpGemm, []uint64{1, 2, 3, 4, 1, fx.KFrom, 1}, true)
	plan(fx.OpGemm, []uint64{1, 2, 3, 4, 1, fx.NoLimit, 0}, true)
	plan(fx.OpGemm, []uint64{1, 9, 3, 4, 1, fx.NoLimit, 0}, true)
	plan(fx.OpGemmI8, []uint64{2, 3, 64, 32}, true)
	plan(fx.OpGemmI8, []uint64{9, 3, 64, 32}, true)
	plan(fx.OpGemmI8, []uint64{2, 3, 64, 32}, false)
	for _, name := range names {
		if !planned[name] {
			t.Errorf("%s is never used", name)
		}
	}
}
