// SPDX-License-Identifier: Apache-2.0

//go:build mutant

package coretest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/coretest"
)

// killers names the invariants that may notice a broken rule.
var killers = map[string]string{
	"nullify-final": "I3", "finalize-nullified": "I3", "finalize-other": "I4", "forget-votes": "I2 I3 I4 I6", "small-quorum": "I9",
	"count-twice": "I9", "no-gap-check": "I5", "no-parent-check": "I5", "no-root-check": "I11", "no-body": "I7", "no-sync": "I6",
	"no-resend": "I14", "ask-once": "I14", "no-growth": "I14", "no-window": "I13", "no-cert-record": "I14",
}

// TestMutants breaks one rule at a time and wants its invariant to notice
// within 2,000 seeds (CONS-62). Run it with -tags mutant -v to see which.
func TestMutants(t *testing.T) {
	defer consensus.Mutate("none")
	for _, name := range consensus.Mutations() {
		t.Run(name, func(t *testing.T) {
			consensus.Mutate(name)
			want := strings.Fields(killers[name])
			for i := *seed; i < *seed+2_000; i++ {
				var v *coretest.Violation
				if err := coretest.New(coretest.Draw(i), i).Run(); !errors.As(err, &v) {
					continue
				}
				if got, _, _ := strings.Cut(v.Invariant, "-"); slices.Contains(want, got) {
					t.Logf("seed %d: %v", i, v)
					return
				}
			}
			t.Errorf("%v did not notice in 2,000 seeds", want)
		})
	}
}
