// SPDX-License-Identifier: Apache-2.0

package task

import (
	"slices"

	"github.com/openledger/openledger/internal/detrand"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// Candidate is an account that could check, with its bond as weight.
type Candidate struct {
	Account keys.Address
	Bond    fixed.Amount
}

// Draw picks up to Checkers of the candidates by bond without replacement. The
// operator and the requester are never drawn; checkers of an earlier attempt
// only when there are too few others. seed is seed(o) of the commit with id o.
// Candidates must be in ascending address order. Spec: EXE-05.
func (t Task) Draw(seed [32]byte, o ID, candidates []Candidate) []keys.Address {
	purpose := "check"
	if t.Attempt > 0 {
		purpose = "recheck"
	}
	var fresh, used []Candidate
	for _, c := range candidates {
		switch {
		case c.Account == t.Spec.Requester || (t.Operator != nil && c.Account == *t.Operator):
		case slices.ContainsFunc(t.Checkers, func(x Checker) bool { return x.Account == c.Account }):
			used = append(used, c)
		default:
			fresh = append(fresh, c)
		}
	}
	d := detrand.New(seed, purpose, o)
	out := pick(d, fresh, Checkers)
	return append(out, pick(d, used, Checkers-len(out))...)
}

func pick(d *detrand.Draw, from []Candidate, n int) []keys.Address {
	weights := make([]uint64, len(from))
	for i, c := range from {
		weights[i] = uint64(c.Bond)
	}
	var out []keys.Address
	for _, i := range d.Sample(weights, n) {
		out = append(out, from[i].Account)
	}
	return out
}
