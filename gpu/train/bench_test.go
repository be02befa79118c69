// SPDX-License-Identifier: Apache-2.0

package train_test

import (
	"fmt"
	"testing"

	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/poa/program"
)

// BenchmarkRun trains each model on the digits with its defaults, and a larger one
// for 100 steps, in plain code and by the processor's kernels. docs/bench/mlp.py does
// the same in PyTorch.
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct {
		name, model string
		hidden      uint64
	}{{"softmax", program.Softmax, 0}, {"mlp", program.MLP, 32}, {"wide", program.MLP, 1024}} {
		for _, plain := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/plain=%v", c.name, plain), func(b *testing.B) {
				fit, _ := digits(b, archOf(c.model))
				spec, err := train.Defaults(c.model, 64, 10, 16, uint64(fit.Rows))
				if err != nil {
					b.Fatal(err)
				}
				if c.hidden > 32 {
					spec.Hidden, spec.Segments, spec.StepsPerSegment = c.hidden, 1, 100
				}
				for b.Loop() {
					if _, err := train.Run(train.Job{Spec: spec, Data: fit}, train.Options{Plain: plain}); err != nil {
						b.Fatal(err)
					}
				}
				took := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
				b.ReportMetric(took/float64(spec.Batch*spec.StepsPerSegment*spec.Segments), "ns/row")
				b.ReportMetric(took/float64(spec.Cost()), "ns/fma")
			})
		}
	}
}
