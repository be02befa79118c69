// SPDX-License-Identifier: Apache-2.0

package knn

import (
	"testing"

	"github.com/openledger/openledger/internal/detrand"
)

func randomPoints(r *detrand.SplitMix, n, dim int, high, classes uint64) []Point {
	points := make([]Point, n)
	for i := range points {
		f := make([]uint8, dim)
		for j := range f {
			f[j] = uint8(r.Below(high))
		}
		points[i] = Point{Features: f, Label: int64(r.Below(classes))}
		for j := range points[i].Key {
			points[i].Key[j] = byte(r.Next())
		}
	}
	return points
}

// BenchmarkKNN1200x600x64 is the target of POA 12 and of docs/bench/knn.md.
func BenchmarkKNN1200x600x64(b *testing.B) {
	for _, soft := range []bool{false, true} {
		name := "hard"
		if soft {
			name = "soft"
		}
		b.Run(name, func(b *testing.B) {
			r := detrand.NewSplitMix(1)
			train := randomPoints(r, 1200, 64, 256, 10)
			valid := randomPoints(r, 600, 64, 256, 10)
			for b.Loop() {
				j, err := NewJob(Params{K: 5, Soft: soft, Classes: 10}, train, valid, nil, 600)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := j.Leaf(0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
