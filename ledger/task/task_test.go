// SPDX-License-Identifier: Apache-2.0

package task

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

func who(n byte) keys.Address { return keys.Address{n, 1} }

var (
	taskID = ID{7}
	truth  = Verdict{Root: ID{1}, OutputRoot: ID{2}}
	lie    = Verdict{Root: ID{1}, OutputRoot: ID{3}}
	other  = Verdict{Root: ID{4}, OutputRoot: ID{2}}
	salt   = ID{9}
)

const (
	requester = 1
	operator  = 2
	t0        = 1_000
)

func spec() Spec {
	return Spec{Requester: who(requester), Kind: Train, Segments: 8, Price: 10, CheckFee: 7,
		ClaimMS: 100, WorkMS: 200, CheckMS: 300, RevealMS: 400}
}

// committed is a task whose operator said v, to be checked by the given ones.
func committed(t testing.TB, v Verdict, checkers ...byte) Task {
	t.Helper()
	x, err := Post(spec(), t0).Claim(who(operator), t0)
	if err != nil {
		t.Fatal(err)
	}
	var drawn []keys.Address
	for _, c := range checkers {
		drawn = append(drawn, who(c))
	}
	if err := x.CanCommit(who(operator), 8, t0); err != nil {
		t.Fatal(err)
	}
	x = x.Commit(Output{Verdict: v}, t0, 5)
	if x.State != Drawing || x.DueMS != 0 || x.SeedAfter != 5 || x.State.Final() {
		t.Fatalf("%+v", x)
	}
	return draw(t, x, t0, drawn...)
}

// draw opens the next attempt.
func draw(t testing.TB, x Task, now uint64, drawn ...keys.Address) Task {
	t.Helper()
	y, what, pay, err := x.Drawn(drawn, now)
	if err != nil || what != Moved || len(pay) != 0 || y.SeedAfter != 0 {
		t.Fatalf("%+v, %d, %v", y, what, err)
	}
	return y
}

// say lets every checker commit and reveal; nil means that he never shows up.
func say(t testing.TB, x Task, verdicts ...*Verdict) Task {
	t.Helper()
	var err error
	now := x.DueMS - 1
	for i, c := range slices.Clone(x.Checkers) {
		if verdicts[i] == nil {
			continue
		}
		if x, err = x.CommitCheck(c.Account, CheckHash(taskID, c.Account, *verdicts[i], salt), now); err != nil {
			t.Fatal(err)
		}
	}
	if x.State == Committed {
		if x, _, _, err = x.Timeout(x.DueMS); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range slices.Clone(x.Checkers) {
		if verdicts[i] == nil {
			continue
		}
		if x, err = x.Reveal(taskID, c.Account, *verdicts[i], salt, x.DueMS-1); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

func total(p Payout) (sum fixed.Amount) {
	for _, x := range p {
		sum += x.Amount
	}
	return sum
}

func TestTASK10Decisions(t *testing.T) {
	for _, x := range []struct {
		name     string
		checkers []byte
		said     []*Verdict
		state    State
		outcome  Outcome
		pay      string
	}{
		{"three confirm", []byte{3, 4, 5}, []*Verdict{&truth, &truth, &truth}, Settled, Ended, "3:2 4:2 5:3 2:10"},
		{"two confirm, one differs", []byte{3, 4, 5}, []*Verdict{&truth, &lie, &truth}, Settled, Ended, "3:3 5:4 2:10"},
		{"two confirm, one is absent", []byte{3, 4, 5}, []*Verdict{&truth, &truth, nil}, Settled, Ended, "3:3 4:4 2:10"},
		{"two agree on something else", []byte{3, 4, 5}, []*Verdict{&lie, &lie, &truth}, Void, Ended, "3:3 4:4 1:10"},
		{"three agree on something else", []byte{3, 4, 5}, []*Verdict{&lie, &lie, &lie}, Void, Ended, "3:2 4:2 5:3 1:10"},
		{"everyone says something else", []byte{3, 4, 5}, []*Verdict{&truth, &lie, &other}, Revealing, Redraw, ""},
		{"two differ from each other and from the result", []byte{3, 4}, []*Verdict{&lie, &other}, Revealing, Redraw, ""},
		{"only one shows up", []byte{3, 4, 5}, []*Verdict{nil, &truth, nil}, Revealing, Redraw, ""},
		{"the only checker confirms", []byte{3}, []*Verdict{&truth}, Settled, Ended, "3:7 2:10"},
		{"the only checker differs", []byte{3}, []*Verdict{&lie}, Revealing, Redraw, ""},
		{"two drawn, one confirms, one is absent", []byte{3, 4}, []*Verdict{&truth, nil}, Revealing, Redraw, ""},
		{"two drawn, two confirm", []byte{3, 4}, []*Verdict{&truth, &truth}, Settled, Ended, "3:3 4:4 2:10"},
	} {
		t.Run(x.name, func(t *testing.T) {
			got, what, pay, err := say(t, committed(t, truth, x.checkers...), x.said...).Decide()
			if err != nil || got.State != x.state || what != x.outcome {
				t.Fatalf("%v, outcome %d, %v", got.State, what, err)
			}
			text := ""
			for i, p := range pay {
				if i > 0 {
					text += " "
				}
				text += fmt.Sprintf("%d:%d", p.To[0], p.Amount)
			}
			if text != x.pay {
				t.Errorf("pays %q, want %q", text, x.pay)
			}
			if what == Ended && total(pay) != 17 {
				t.Errorf("pays %d of 17", total(pay))
			}
			if got.State.Final() != (got.DueMS == 0) {
				t.Errorf("due at %d", got.DueMS)
			}
			if what != Redraw {
				return
			}
			again := draw(t, got.Await(9), 5_000, who(8), who(9))
			if again.Attempt != 2 || again.DueMS != 5_300 || len(again.Past) != len(x.checkers) {
				t.Fatalf("%+v, %v", again, err)
			}
			end, what, pay, err := say(t, again, &lie, nil).Decide()
			if err != nil || end.State != Expired || what != Ended || len(pay) != 1 || pay[0] != (Pay{who(requester), 17}) {
				t.Errorf("after the second attempt: %v, %v, %v", end.State, pay, err)
			}
		})
	}
}

func TestARedrawWithoutCheckersExpires(t *testing.T) {
	x, what, _, err := say(t, committed(t, truth, 3), &lie).Decide()
	if err != nil || what != Redraw {
		t.Fatal(what, err)
	}
	end, what, pay, err := x.Await(9).Drawn(nil, 9_000)
	if err != nil || what != Ended || end.State != Expired || total(pay) != 17 {
		t.Errorf("%v, %d, %v, %v", end.State, what, pay, err)
	}
}

func TestTimeouts(t *testing.T) {
	posted := Post(spec(), t0)
	assigned, _ := posted.Claim(who(operator), t0)
	silent := committed(t, truth, 3, 4, 5)
	some, err := silent.CommitCheck(who(3), CheckHash(taskID, who(3), truth, salt), t0)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name    string
		task    Task
		state   State
		outcome Outcome
		due     uint64
	}{
		{"nobody claims", posted, Expired, Ended, 0},
		{"nobody delivers", assigned, Expired, Ended, 0},
		{"nobody commits to a verdict", silent, Committed, Redraw, t0 + 300},
		{"one commits to a verdict", some, Revealing, Moved, t0 + 300 + 400},
	} {
		if got, what, _, err := x.task.Timeout(x.task.DueMS - 1); err != nil || what != Wait || got.State != x.task.State {
			t.Errorf("%s, too early: %v, %d, %v", x.name, got.State, what, err)
		}
		got, what, pay, err := x.task.Timeout(x.task.DueMS)
		if err != nil || got.State != x.state || what != x.outcome || got.DueMS != x.due {
			t.Errorf("%s: %v, outcome %d, due %d, %v", x.name, got.State, what, got.DueMS, err)
		}
		if what == Ended && (total(pay) != 17 || pay[0].To != who(requester)) {
			t.Errorf("%s: %v", x.name, pay)
		}
	}
	end, _, _, _ := posted.Timeout(posted.DueMS)
	if got, what, _, err := end.Timeout(1 << 60); what != Wait || err != nil || got.State != Expired {
		t.Errorf("a task that has ended moves: %v", got.State)
	}
}

func TestTASK07IllegalMoves(t *testing.T) {
	posted := Post(spec(), t0)
	assigned, _ := posted.Claim(who(operator), t0)
	checking := committed(t, truth, 3, 4, 5)
	one, _ := checking.CommitCheck(who(3), CheckHash(taskID, who(3), truth, salt), t0)
	revealing := one
	for _, c := range []byte{4, 5} {
		revealing, _ = revealing.CommitCheck(who(c), CheckHash(taskID, who(c), truth, salt), t0)
	}
	shown, _ := revealing.Reveal(taskID, who(3), truth, salt, t0)
	settled, _, _, _ := say(t, checking, &truth, &truth, &truth).Decide()
	all := []Task{posted, assigned, checking, revealing, settled}

	moves := []struct {
		name string
		from State
		do   func(x Task, now uint64) error
	}{
		{"claim", Posted, func(x Task, now uint64) error { _, err := x.Claim(who(operator), now); return err }},
		{"commit", Assigned, func(x Task, now uint64) error { return x.CanCommit(who(operator), 8, now) }},
		{"check", Committed, func(x Task, now uint64) error { _, err := x.CommitCheck(who(3), ID{1}, now); return err }},
		{"reveal", Revealing, func(x Task, now uint64) error {
			_, err := x.Reveal(taskID, who(3), truth, salt, now)
			return err
		}},
	}
	for _, m := range moves {
		for _, x := range all {
			err := m.do(x, t0)
			if (x.State == m.from) != (err == nil) || (err != nil && !errors.Is(err, ErrPhase)) {
				t.Errorf("%s of a task that is %v: %v", m.name, x.State, err)
			}
			if x.State == m.from {
				if err := m.do(x, x.DueMS); !errors.Is(err, ErrClosed) {
					t.Errorf("%s when the window has ended: %v", m.name, err)
				}
				if err := m.do(x, x.DueMS-1); err != nil {
					t.Errorf("%s at the last moment: %v", m.name, err)
				}
			}
		}
	}
	check := func(what string, err, want error) {
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	_, err := posted.Claim(who(requester), t0)
	check("claim by the requester", err, ErrParty)
	check("commit by another", assigned.CanCommit(who(3), 8, t0), ErrParty)
	check("commit of 7 segments", assigned.CanCommit(who(operator), 7, t0), ErrSegments)
	_, _, _, err = assigned.Drawn([]keys.Address{who(3)}, t0)
	check("checkers before there is a result", err, ErrPhase)
	_, err = checking.CommitCheck(who(operator), ID{1}, t0)
	check("check by the operator", err, ErrNotDrawn)
	_, err = one.CommitCheck(who(3), ID{1}, t0)
	check("a second commitment", err, ErrPhase)
	_, err = revealing.Reveal(taskID, who(6), truth, salt, t0)
	check("reveal by a stranger", err, ErrNotDrawn)
	_, err = shown.Reveal(taskID, who(3), truth, salt, t0)
	check("a second reveal", err, ErrPhase)
	for what, f := range map[string]func() (Task, error){
		"another verdict": func() (Task, error) { return revealing.Reveal(taskID, who(3), lie, salt, t0) },
		"another salt":    func() (Task, error) { return revealing.Reveal(taskID, who(3), truth, ID{8}, t0) },
		"another task":    func() (Task, error) { return revealing.Reveal(ID{6}, who(3), truth, salt, t0) },
	} {
		_, err := f()
		check("reveal of "+what, err, ErrCommitHash)
	}
}

func TestACopiedCommitmentIsUseless(t *testing.T) {
	x := committed(t, truth, 3, 4, 5)
	h := CheckHash(taskID, who(3), truth, salt)
	for _, c := range []byte{3, 4, 5} {
		x, _ = x.CommitCheck(who(c), h, t0)
	}
	if _, err := x.Reveal(taskID, who(4), truth, salt, t0); !errors.Is(err, ErrCommitHash) {
		t.Errorf("%v", err)
	}
}

func TestMovesDoNotChangeTheTaskTheyStartFrom(t *testing.T) {
	x := committed(t, truth, 3, 4, 5)
	before := string(enc.Encode(x))
	y, _ := x.CommitCheck(who(3), ID{1}, t0)
	if string(enc.Encode(x)) != before || string(enc.Encode(y)) == before {
		t.Error("CommitCheck wrote into its receiver")
	}
}

func TestEXE05TheDrawIsFairAndBarsTheParties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := Post(spec(), t0)
		op := who(operator)
		x.Operator = &op
		used := rapid.IntRange(0, 3).Draw(rt, "used")
		for i := range used {
			x.Checkers = append(x.Checkers, Checker{Account: who(byte(10 + i))})
			x.Attempt = 1
		}
		n := rapid.IntRange(0, 9).Draw(rt, "candidates")
		list := []Candidate{{who(requester), 100}, {who(operator), 100}}
		for i := range n {
			list = append(list, Candidate{who(byte(10 + i)), fixed.Amount(rapid.Uint64Range(1, 1<<50).Draw(rt, "bond"))})
		}
		seed := [32]byte{rapid.Byte().Draw(rt, "seed")}
		got := x.Draw(seed, ID{1}, list)
		if want := min(Checkers, n); len(got) != want {
			rt.Fatalf("%d drawn of %d", len(got), n)
		}
		old := 0
		for i, a := range got {
			if a == who(requester) || a == who(operator) || slices.Contains(got[:i], a) {
				rt.Fatalf("drawn %v", got)
			}
			if slices.ContainsFunc(x.Checkers, func(c Checker) bool { return c.Account == a }) {
				old++
			}
		}
		if fresh := max(0, n-used); old > 0 && len(got)-old < min(Checkers, fresh) {
			rt.Fatalf("%d old checkers although %d new ones exist", old, fresh)
		}
		if !slices.Equal(got, x.Draw(seed, ID{1}, list)) {
			rt.Fatal("two draws differ")
		}
	})
}

func TestTheDrawFollowsTheBonds(t *testing.T) {
	x := Post(spec(), t0)
	list := []Candidate{{who(10), 1}, {who(11), 1}, {who(12), 1}, {who(13), 1}, {who(14), 96}}
	heavy := 0
	for i := range 200 {
		if slices.Contains(x.Draw([32]byte{byte(i)}, ID{2}, list), who(14)) {
			heavy++
		}
	}
	if heavy < 195 {
		t.Errorf("96%% of the bonds were drawn %d times in 200", heavy)
	}
}

func TestATaskHasAJSONForm(t *testing.T) {
	x := committed(t, truth, 3, 4, 5)
	x.Output.Content = content.Sum(nil)
	for s := Posted; s <= Drawing; s++ {
		for k := Train; k <= Attribute; k++ {
			x.State, x.Spec.Kind = s, k
			text, err := json.Marshal(x)
			if err != nil {
				t.Fatal(err)
			}
			var back Task
			if err := json.Unmarshal(text, &back); err != nil || !bytes.Equal(enc.Encode(back), enc.Encode(x)) {
				t.Errorf("%v %v: %v", s, k, err)
			}
		}
	}
	for _, word := range []string{"none", "unknown", "", "Posted"} {
		if err := new(State).UnmarshalText([]byte(word)); !errors.Is(err, ErrName) {
			t.Errorf("state %q: %v", word, err)
		}
		if err := new(Kind).UnmarshalText([]byte(word)); !errors.Is(err, ErrName) {
			t.Errorf("kind %q: %v", word, err)
		}
	}
	if State(99).String() != "unknown" || Kind(9).String() != "unknown" {
		t.Error("names of nothing")
	}
}

// TestEveryRunEndsAndPaysEverythingOnce plays random moves and lets windows end.
func TestEveryRunEndsAndPaysEverythingOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		now := uint64(t0)
		x, paid := Post(spec(), now), fixed.Amount(0)
		end := func(y Task, what Outcome, pay Payout, err error) {
			if err != nil {
				rt.Fatal(err)
			}
			if what == Redraw {
				y = y.Await(1)
			}
			paid += total(pay)
			x = y
			if (what == Ended) != x.State.Final() {
				rt.Fatalf("outcome %d in state %v", what, x.State)
			}
		}
		verdicts := []Verdict{truth, lie, other}
		said := map[keys.Address]Verdict{}
		for steps := 0; !x.State.Final(); steps++ {
			if steps > 60 {
				now = max(now, x.DueMS)
			}
			if x.State == Drawing && (steps > 60 || rapid.Bool().Draw(rt, "seed")) {
				end(x.Drawn([]keys.Address{who(3), who(4), who(5)}[:rapid.IntRange(0, 3).Draw(rt, "drawn")], now))
				continue
			}
			now += rapid.Uint64Range(0, 60).Draw(rt, "ms")
			if x.State != Drawing && now >= x.DueMS {
				end(x.Timeout(now))
				continue
			}
			var y Task
			err := ErrPhase
			c := who(byte(3 + rapid.IntRange(0, 5).Draw(rt, "who")))
			switch rapid.IntRange(0, 3).Draw(rt, "move") {
			case 0:
				y, err = x.Claim(who(operator), now)
			case 1:
				if err = x.CanCommit(who(operator), 8, now); err == nil {
					y = x.Commit(Output{Verdict: truth, Content: content.Sum(nil)}, now, 1)
				}
			case 2:
				v := verdicts[rapid.IntRange(0, 2).Draw(rt, "verdict")]
				if y, err = x.CommitCheck(c, CheckHash(taskID, c, v, salt), now); err == nil {
					said[c] = v
				}
			case 3:
				if y, err = x.Reveal(taskID, c, said[c], salt, now); err == nil && y.Complete() {
					end(y.Decide())
					continue
				}
			}
			if err == nil {
				x = y
			}
		}
		if paid != 17 {
			rt.Fatalf("%v pays %d of 17", x.State, paid)
		}
		var back Task
		if err := enc.Decode(enc.Encode(x), &back); err != nil {
			rt.Fatal(err)
		}
	})
}
