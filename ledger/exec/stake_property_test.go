// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

const (
	foundersN  = 5 // validators key(leaderNo…), each with 10 OPEN
	delegators = 4 // people 0…
)

// stakeRun drives the real state machine and, beside it, a model in exact
// fractions that never rounds: what each delegator's stake with each validator is
// worth, apart from rewards.
type stakeRun struct {
	*chain
	model map[[2]int]*big.Rat // validator, delegator → nOPEN
	steps int64               // roundings so far, each for the pool
}

func newStakeRun(t testing.TB) *stakeRun {
	cfg := genesis.LocalConfig{Network: genesis.Unkeyed, TimeMS: startMS}
	for n := range foundersN {
		cfg.Validators = append(cfg.Validators, genesis.Member{Address: addr(leaderNo + n), VoteKey: key(leaderNo + n).Public(), Power: 10})
	}
	r := &stakeRun{chain: startChain(t, cfg), model: map[[2]int]*big.Rat{}}
	for n := range foundersN {
		r.model[[2]int{n, -1}] = new(big.Rat).SetUint64(10_000_000_000)
	}
	return r
}

func (r *stakeRun) worth(v, d int) *big.Rat {
	if x := r.model[[2]int{v, d}]; x != nil {
		return x
	}
	x := new(big.Rat)
	r.model[[2]int{v, d}] = x
	return x
}

// real is what a delegator's shares are worth by the state.
func (r *stakeRun) real(v, d int) (tokens, shares uint64, c state.Candidate) {
	c, err := state.GetCandidate(r.view, addr(leaderNo+v))
	if err != nil {
		r.t.Fatal(err)
	}
	a := addr(d)
	if d < 0 {
		a = addr(leaderNo + v)
	}
	del, err := state.GetDelegation(r.view, addr(leaderNo+v), a)
	if err != nil {
		return 0, 0, c
	}
	x := new(big.Int).Mul(new(big.Int).SetUint64(del.Shares), new(big.Int).SetUint64(uint64(c.Tokens)))
	return x.Div(x, new(big.Int).SetUint64(max(1, c.Shares))).Uint64(), del.Shares, c
}

// op runs one random transaction and lets the model follow.
func (r *stakeRun) op(t *rapid.T) {
	v, to, d := rapid.IntRange(0, foundersN-1).Draw(t, "validator"), rapid.IntRange(0, foundersN-1).Draw(t, "to"), rapid.IntRange(0, delegators-1).Draw(t, "delegator")
	amount := fixed.Amount(rapid.SampledFrom([]uint64{1, 7, 1_000, 999_999_999, 5_000_000_000, 30_000_000_000}).Draw(t, "amount"))
	_, shares, c := r.real(v, d)
	part := max(1, shares/uint64(rapid.IntRange(1, 4).Draw(t, "part")))
	value := new(big.Rat)
	if shares > 0 {
		value.Mul(r.worth(v, d), new(big.Rat).SetFrac(new(big.Int).SetUint64(part), new(big.Int).SetUint64(shares)))
	}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0, 1, 2:
		if r.code(d, &tx.Stake{Validator: addr(leaderNo + v), Amount: amount}) == tx.OK {
			r.worth(v, d).Add(r.worth(v, d), new(big.Rat).SetUint64(uint64(amount)))
			r.steps++
		}
	case 3, 4:
		res := r.receipt(r.sign(d, &tx.Unstake{Validator: addr(leaderNo + v), Shares: part}))
		if res.Code == tx.OK {
			got := new(big.Rat).SetUint64(res.Events[0].Amounts[0])
			r.steps++
			if got.Cmp(new(big.Rat).Add(value, r.slack(c))) > 0 {
				t.Fatalf("unstaking pays %v of exactly %v", got, value.FloatString(3))
			}
			r.worth(v, d).Sub(r.worth(v, d), value)
			r.steps++
		}
	case 5:
		if v != to && r.code(d, &tx.Redelegate{From: addr(leaderNo + v), To: addr(leaderNo + to), Shares: part}) == tx.OK {
			r.worth(v, d).Sub(r.worth(v, d), value)
			r.worth(to, d).Add(r.worth(to, d), value)
			r.steps++
			r.steps++
		}
	case 6:
		r.code(d, &tx.RewardClaim{Validator: addr(leaderNo + v)})
	case 7:
		r.tip = uint64(amount) % 1_000_000
		r.code(d, &tx.Transfer{To: addr(d + 1), Amount: 1})
		r.tip = 0
	case 8:
		r.offend(t, v)
	default:
		r.blockAfter(rapid.Uint64Range(1, 9_000).Draw(t, "ms"))
	}
}

// offend reports a founder, now and then for the worst.
func (r *stakeRun) offend(t *rapid.T, v int) {
	set := setAt(r.chain, r.clock().Epoch)
	if set.Index(key(leaderNo+v).Public()) < 0 || set.Len() < 2 {
		return
	}
	jail := rapid.IntRange(0, 3).Draw(t, "class") > 0
	r.code(11, &tx.SlashEvidence{Evidence: offence(r.chain, r.clock().Epoch, rapid.Uint64Range(1, 3).Draw(t, "view"), jail, leaderNo+v)})
}

// follow lets the model follow slashes, which take from everyone in a pool alike,
// and the ends of redelegations, which may find a slash to pay.
func (r *stakeRun) follow(e ledger.Event) {
	founder := func(id ID) (n int) {
		for n = range foundersN {
			if addr(leaderNo+n) == [32]byte(id) {
				break
			}
		}
		return n
	}
	switch {
	case e.Kind == tx.KindSlashEvidence && e.Sub != ledger.SubDone:
		n := founder(e.IDs[0])
		_, _, c := r.real(n, -1)
		before := new(big.Int).SetUint64(uint64(c.Tokens) + e.Amounts[3])
		for d := -1; d < delegators && before.Sign() > 0; d++ {
			r.worth(n, d).Mul(r.worth(n, d), new(big.Rat).SetFrac(new(big.Int).SetUint64(uint64(c.Tokens)), before))
		}
	case e.Kind == tx.KindRedelegate && e.Sub == ledger.SubHopEnded:
		n := founder(e.IDs[1])
		for d := range delegators {
			if addr(d) == [32]byte(e.IDs[2]) {
				r.worth(n, d).Sub(r.worth(n, d), new(big.Rat).SetUint64(e.Amounts[1]))
				r.steps++
			}
		}
	}
}

// slack is how far roundings so far can lift one holder above his exact part: each
// left less than the price of a share, and a unit, to the others.
func (r *stakeRun) slack(c state.Candidate) *big.Rat {
	price := new(big.Rat).SetFrac(new(big.Int).SetUint64(uint64(c.Tokens)+1), new(big.Int).SetUint64(max(1, c.Shares)))
	price.Add(price, new(big.Rat).SetInt64(1))
	return price.Mul(price, new(big.Rat).SetInt64(r.steps+1))
}

// compare holds every stake against the model.
func (r *stakeRun) compare(t *rapid.T) {
	for v := range foundersN {
		for d := -1; d < delegators; d++ {
			tokens, _, c := r.real(v, d)
			diff := new(big.Rat).Sub(new(big.Rat).SetUint64(tokens), r.worth(v, d))
			if diff.Abs(diff).Cmp(r.slack(c)) > 0 {
				t.Fatalf("stake of %d with %d: %d, exactly %s", d, v, tokens, r.worth(v, d).FloatString(3))
			}
		}
	}
}

// TestSTK01RandomStakesFollowExactFractions runs random staking kinds, slashes
// and seals. After every block the harness audits the state: the supply to the
// unit, pools against their holders, fees, the due-queue.
func TestSTK01RandomStakesFollowExactFractions(t *testing.T) {
	base := newStakeRun(t)
	rapid.Check(t, func(rt *rapid.T) {
		r := newStakeRunFrom(base, t)
		epochs := uint64(0)
		for range 30 {
			before := setAt(r.chain, r.clock().Epoch)
			e := r.clock().Epoch
			r.op(rt)
			if now := r.clock().Epoch; now > e {
				epochs++
				if after := setAt(r.chain, now); after.Len() == 0 || after.Total() > before.Total()*3/2+1 {
					rt.Fatalf("power %d after %d", after.Total(), before.Total())
				}
			}
		}
		r.compare(rt)
	})
}

func newStakeRunFrom(b *stakeRun, t testing.TB) *stakeRun {
	c := *b.chain
	c.t, c.view, c.nonces = t, b.view.clone(), map[int]uint64{}
	r := &stakeRun{chain: &c, model: map[[2]int]*big.Rat{}}
	for k, v := range b.model {
		r.model[k] = new(big.Rat).Set(v)
	}
	c.seen = r.follow
	return r
}

// TestSTK02AValidatorJoinsAndAnotherLeavesOverTwentyEpochs is the life of a set:
// each epoch the elected set is what sits in the next, and old sets go.
func TestSTK02AValidatorJoinsAndAnotherLeavesOverTwentyEpochs(t *testing.T) {
	r := newStakeRun(t)
	r.do(0, tx.NewValidatorRegister(r.env.ChainID, addr(0), key(300), 0, 40*fixed.OPEN))
	var trail string
	for e := range uint64(20) {
		if e < 12 {
			r.do(0, &tx.ValidatorReady{Epoch: e, Protocol: 1})
		}
		if e == 12 {
			r.do(0, &tx.Unstake{Validator: addr(0), Shares: uint64(40 * fixed.OPEN)})
		}
		for r.clock().Epoch == e {
			want, err := NextSet(r.view)
			if err != nil {
				t.Fatal(err)
			}
			if r.blockAfter(2_500); r.clock().Epoch == e {
				continue
			}
			got, err := CurrentSet(r.view)
			if err != nil || got.Hash() != want.Hash() {
				t.Fatalf("epoch %d: %v", e, err)
			}
			power := uint64(0)
			if i := got.Index(key(300).Public()); i >= 0 {
				power = got.Power(i)
			}
			trail += fmt.Sprintf(" %d/%d", power, got.Total())
		}
		past, err := r.view.Scan(state.PastSetPrefix(), nil, 100)
		if err != nil || len(past) > 2 { // unbonding takes one epoch
			t.Fatalf("%d past sets, %v", len(past), err)
		}
	}
	if want := " 0/50 25/75 40/90 40/90 40/90 40/90 40/90 40/90 40/90 40/90 40/90 40/90 0/50 0/50 0/50 0/50 0/50 0/50 0/50 0/50"; trail != want {
		t.Errorf("power of the newcomer and of the set:%s, want%s", trail, want)
	}
}
