// SPDX-License-Identifier: Apache-2.0

//go:build mutant

package coretest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/coretest"
)

// killers names the invariants that may notice a broken rule, and a seed from
// which on the search is short.
var killers = map[string]struct {
	checks string
	from   uint64
}{
	"nullify-final": {"I3", 0}, "finalize-nullified": {"I3", 0}, "finalize-other": {"I4", 8}, "forget-votes": {"I2 I3 I4 I6", 11},
	"small-quorum": {"I9", 0}, "count-twice": {"I9", 0}, "no-gap-check": {"I5", 0}, "no-parent-check": {"I5", 0},
	"no-root-check": {"I11", 7}, "no-body": {"I7", 0}, "no-sync": {"I6", 0}, "no-resend": {"I14", 0}, "ask-once": {"I14", 9},
	"no-growth": {"I14", 58}, "no-window": {"I13", 14}, "no-cert-record": {"I14", 81}, "notarized-seal": {"I12", 1},
	"run-carriers": {"I11", 1}, "next-set": {"I12", 177}, "leader-off": {"I10 I14", 0}, "late-vote": {"I10", 24},
	"no-guard": {"I2 I10", 242}, "cert-early": {"I6 I10", 0}, "re-sign": {"I2 I10", 3}, "share-unchecked": {"I9", 32},
	"beacon-unchecked": {"beacon", 2_187}, "start-unchecked": {"I5", 353}, "no-ancestor": {"I14", 11},
}

// TestMutants breaks one rule at a time and wants its invariant to notice
// within 2,000 seeds (CONS-62). make mutants prints the table.
func TestMutants(t *testing.T) {
	defer consensus.Mutate("none")
	for _, name := range consensus.Mutations() {
		t.Run(name, func(t *testing.T) {
			consensus.Mutate(name)
			k := killers[name]
			want := strings.Fields(k.checks)
			for i := k.from; i < k.from+2_000; i++ {
				var v *coretest.Violation
				if err := coretest.New(coretest.Draw(i), i).Run(); !errors.As(err, &v) {
					continue
				}
				if got, _, _ := strings.Cut(v.Invariant, "-"); slices.Contains(want, got) {
					fmt.Printf("%-20s killed by %-22s seed %d\n", name, v.Invariant, i)
					return
				}
			}
			t.Errorf("%v did not notice in 2,000 seeds", want)
		})
	}
}
