// SPDX-License-Identifier: Apache-2.0

package train_test

import (
	"testing"

	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/poa/program"
)

// BenchmarkRun trains each model on the digits with its defaults.
func BenchmarkRun(b *testing.B) {
	for _, name := range []string{program.Softmax, program.MLP} {
		b.Run(name, func(b *testing.B) {
			fit, _ := digits(b, archOf(name))
			spec, err := train.Defaults(name, 64, 10, 16, uint64(fit.Rows))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := train.Run(train.Job{Spec: spec, Data: fit}, train.Options{}); err != nil {
					b.Fatal(err)
				}
			}
			rows := float64(spec.Batch * spec.StepsPerSegment * spec.Segments)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(spec.Cost()), "ns/fma")
		})
	}
}
