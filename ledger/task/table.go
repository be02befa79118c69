// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"
	"slices"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// Post starts a task at chain time now.
func Post(s Spec, now uint64) Task {
	return Task{Spec: s, State: Posted, PostedMS: now, DueMS: now + s.ClaimMS}
}

// in returns an error unless the task is in state s and its window is open.
func (t Task) in(s State, now uint64) error {
	if t.State != s {
		return fmt.Errorf("%w: %v, want %v", ErrPhase, t.State, s)
	}
	if now >= t.DueMS {
		return fmt.Errorf("%w: at %d ms, now %d ms", ErrClosed, t.DueMS, now)
	}
	return nil
}

// Claim gives the task to operator. Errors: ErrPhase, ErrClosed, ErrParty if the
// operator is the requester.
func (t Task) Claim(operator keys.Address, now uint64) (Task, error) {
	if err := t.in(Posted, now); err != nil {
		return t, err
	}
	if operator == t.Spec.Requester {
		return t, fmt.Errorf("%w: the requester cannot claim", ErrParty)
	}
	t.State, t.Operator, t.DueMS = Assigned, &operator, now+t.Spec.WorkMS
	return t, nil
}

// CanCommit reports whether operator may commit a result of so many segments
// now. Errors: ErrPhase, ErrClosed, ErrParty, ErrSegments.
func (t Task) CanCommit(operator keys.Address, segments, now uint64) error {
	if err := t.in(Assigned, now); err != nil {
		return err
	}
	if operator != *t.Operator {
		return fmt.Errorf("%w: assigned to %v", ErrParty, *t.Operator)
	}
	if segments != t.Spec.Segments {
		return fmt.Errorf("%w: %d, want %d", ErrSegments, segments, t.Spec.Segments)
	}
	return nil
}

// Commit records the operator's result at a height; its checkers are still to be
// drawn. The caller has asked CanCommit.
func (t Task) Commit(out Output, now, height uint64) Task {
	out.AtMS = now
	t.Output = &out
	return t.Await(height)
}

// Await lets the task wait from a height for the seed of its next draw.
func (t Task) Await(height uint64) Task {
	t.State, t.DueMS, t.SeedAfter = Drawing, 0, height
	return t
}

// Drawn opens an attempt with the checkers that were drawn; with none the task
// expires. Errors: ErrPhase, fixed.ErrArith.
func (t Task) Drawn(drawn []keys.Address, now uint64) (Task, Outcome, Payout, error) {
	if t.State != Drawing {
		return t, Wait, nil, fmt.Errorf("%w: %v, want %v", ErrPhase, t.State, Drawing)
	}
	t.SeedAfter = 0
	if len(drawn) == 0 {
		return t.expire()
	}
	t.State, t.DueMS, t.Past = Committed, now+t.Spec.CheckMS, t.Checkers
	t.Attempt++
	t.Checkers = make([]Checker, len(drawn))
	for i, a := range drawn {
		t.Checkers[i].Account = a
	}
	return t, Moved, nil, nil
}

// find returns the place of a checker. Errors: ErrNotDrawn.
func (t Task) find(a keys.Address) (int, error) {
	i := slices.IndexFunc(t.Checkers, func(c Checker) bool { return c.Account == a })
	if i < 0 {
		return 0, fmt.Errorf("%w: %v", ErrNotDrawn, a)
	}
	return i, nil
}

// CommitCheck records a checker's commitment; after the last one the reveals
// open. Errors: ErrPhase (also for a second commitment), ErrClosed, ErrNotDrawn.
func (t Task) CommitCheck(checker keys.Address, hash ID, now uint64) (Task, error) {
	if err := t.in(Committed, now); err != nil {
		return t, err
	}
	i, err := t.find(checker)
	if err != nil {
		return t, err
	}
	if t.Checkers[i].Hash != nil {
		return t, fmt.Errorf("%w: already committed", ErrPhase)
	}
	t.Checkers = slices.Clone(t.Checkers)
	t.Checkers[i].Hash = &hash
	if !slices.ContainsFunc(t.Checkers, func(c Checker) bool { return c.Hash == nil }) {
		t.State, t.DueMS = Revealing, now+t.Spec.RevealMS
	}
	return t, nil
}

// Reveal records a checker's verdict. id is the task's own id. Errors: ErrPhase
// (also for a checker that has not committed or has revealed), ErrClosed,
// ErrNotDrawn, ErrCommitHash.
func (t Task) Reveal(id ID, checker keys.Address, v Verdict, salt ID, now uint64) (Task, error) {
	if err := t.in(Revealing, now); err != nil {
		return t, err
	}
	i, err := t.find(checker)
	if err != nil {
		return t, err
	}
	if c := t.Checkers[i]; c.Hash == nil || c.Verdict != nil {
		return t, fmt.Errorf("%w: not committed or already revealed", ErrPhase)
	}
	if CheckHash(id, checker, v, salt) != *t.Checkers[i].Hash {
		return t, ErrCommitHash
	}
	t.Checkers = slices.Clone(t.Checkers)
	t.Checkers[i].Verdict = &v
	return t, nil
}

// Complete reports whether every committed checker has revealed, so that Decide
// need not wait for the end of the window.
func (t Task) Complete() bool {
	return t.State == Revealing && !slices.ContainsFunc(t.Checkers, func(c Checker) bool {
		return c.Hash != nil && c.Verdict == nil
	})
}

// Outcome is what a count of verdicts or the end of a window leads to.
type Outcome uint8

// The outcomes. Redraw asks the caller for Await and new checkers.
const (
	Wait   Outcome = iota // nothing is due
	Moved                 // commitments closed, reveals open
	Redraw                // undecided at the first attempt
	Ended                 // final: the payout says who gets the escrow
)

// Timeout is what happens at DueMS: an unclaimed or unfinished task expires,
// commitments close, verdicts are counted. Errors: fixed.ErrArith.
func (t Task) Timeout(now uint64) (Task, Outcome, Payout, error) {
	switch {
	case t.State.Final() || t.State == Drawing || now < t.DueMS:
		return t, Wait, nil, nil
	case t.State == Posted || t.State == Assigned:
		return t.expire()
	case t.State == Committed && slices.ContainsFunc(t.Checkers, func(c Checker) bool { return c.Hash != nil }):
		t.State, t.DueMS = Revealing, now+t.Spec.RevealMS
		return t, Moved, nil, nil
	}
	return t.Decide()
}

// Decide counts the verdicts of the present attempt. Void iff at least two agree
// on roots that differ from the operator's; Settled iff at least two, or the only
// drawn one, confirm the operator's; else Redraw after the first attempt and
// Expired after the last. Errors: fixed.ErrArith.
func (t Task) Decide() (Task, Outcome, Payout, error) {
	confirm := t.agreeing(t.Output.Verdict)
	if len(confirm) >= 2 || (len(t.Checkers) == 1 && len(confirm) == 1) {
		t.State, t.DueMS = Settled, 0
		pay, err := split(t.Spec.CheckFee, confirm)
		return t, Ended, pay.add(*t.Operator, t.Spec.Price), err
	}
	for _, c := range t.Checkers {
		if c.Verdict == nil || *c.Verdict == t.Output.Verdict {
			continue
		}
		if refute := t.agreeing(*c.Verdict); len(refute) >= 2 {
			t.State, t.DueMS = Void, 0
			pay, err := split(t.Spec.CheckFee, refute)
			return t, Ended, pay.add(t.Spec.Requester, t.Spec.Price), err
		}
	}
	if t.Attempt < Attempts {
		return t, Redraw, nil, nil
	}
	return t.expire()
}

func (t Task) expire() (Task, Outcome, Payout, error) {
	t.State, t.DueMS = Expired, 0
	all, err := fixed.Add(t.Spec.Price, t.Spec.CheckFee)
	return t, Ended, Payout{}.add(t.Spec.Requester, all), err
}

// agreeing returns the checkers that revealed exactly v, ascending.
func (t Task) agreeing(v Verdict) []keys.Address {
	var out []keys.Address
	for _, c := range t.Checkers {
		if c.Verdict != nil && *c.Verdict == v {
			out = append(out, c.Account)
		}
	}
	slices.SortFunc(out, keys.Address.Compare)
	return out
}

// split divides a fee in equal parts over ascending accounts (PAY-02).
func split(fee fixed.Amount, to []keys.Address) (Payout, error) {
	weights := make([]uint64, len(to))
	for i := range weights {
		weights[i] = 1
	}
	parts, err := fixed.Split(uint64(fee), weights)
	if err != nil {
		return nil, err
	}
	var out Payout
	for i, p := range parts {
		out = out.add(to[i], fixed.Amount(p))
	}
	return out, nil
}
