// SPDX-License-Identifier: Apache-2.0

//go:build mutant

package consensus

import "slices"

var current mutation

var mutationNames = []string{
	"none", "nullify-final", "finalize-nullified", "finalize-other", "forget-votes", "small-quorum", "count-twice",
	"no-gap-check", "no-parent-check", "no-root-check", "no-body", "no-sync", "no-resend", "ask-once", "no-growth", "no-window",
	"no-cert-record", "notarized-seal", "run-carriers", "next-set", "leader-off", "late-vote", "no-guard", "cert-early", "re-sign",
	"share-unchecked", "beacon-unchecked", "start-unchecked", "no-ancestor",
}

func broken(m mutation) bool { return m == current }

// Mutate breaks the rule of that name in every core of the process and reports
// whether there is such a rule. It exists only in builds with the tag mutant.
func Mutate(name string) bool {
	i := slices.Index(mutationNames, name)
	if i >= 0 {
		current = mutation(i)
	}
	return i >= 0
}

// Mutations returns the names that Mutate takes.
func Mutations() []string { return mutationNames[1:] }
