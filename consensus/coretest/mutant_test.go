// SPDX-License-Identifier: Apache-2.0

//go:build mutant

package coretest_test

import (
	"errors"
	"testing"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/coretest"
)

// TestMutants breaks one rule at a time and wants an invariant to notice within
// the seeds of TestSim (CONS-62). Run it with -tags mutant.
func TestMutants(t *testing.T) {
	defer consensus.Mutate("none")
	for _, name := range consensus.Mutations() {
		t.Run(name, func(t *testing.T) {
			consensus.Mutate(name)
			for i := *seed; i < *seed+*seeds; i++ {
				var v *coretest.Violation
				if err := coretest.New(coretest.Draw(i), i).Run(); errors.As(err, &v) {
					t.Logf("seed %d: %v", i, v)
					return
				}
			}
			t.Errorf("no invariant noticed in %d seeds", *seeds)
		})
	}
}
