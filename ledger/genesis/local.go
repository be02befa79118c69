// SPDX-License-Identifier: Apache-2.0

package genesis

import (
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/openledger/openledger/internal/bls"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/vrf"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
)

// LocalFaucet is what the faucet of a local network holds.
const LocalFaucet = 100_000_000 * fixed.OPEN

// LocalConfig says who takes part in a local network. Network is "local" if
// empty. A validator of power 0 gets power 1. Accounts may be in any order; an
// address that appears twice gets both amounts, a zero amount makes no account.
type LocalConfig struct {
	Network    string
	TimeMS     uint64
	Validators []Member
	Accounts   []Alloc
	// EpochMS is the length of an epoch of a network that people use: unbonding then
	// takes as long, or 10 min if that is more, and blocks come less often. 0: as
	// LocalParams, which suit tests.
	EpochMS uint64
}

// unbondingMS is the unbonding time of a local network that people use: two thirds of
// it is how old a trusted block may be (CONS-49).
const unbondingMS = 10 * 60_000

// paceMS is the pace of a local network that people use: a third fewer blocks than
// at 20 ms, so that much less work, for 8 ms more until a transfer is final.
const paceMS = 30

// Local makes the document of a local network: local parameters, a faucet, the
// CC-BY-4.0 terms, and everything that no account gets in the reserve. Errors:
// ErrGenesis.
func Local(c LocalConfig) (Doc, error) {
	d := Doc{
		Format: Format, Network: c.Network, TimeMS: c.TimeMS, Protocol: Protocol,
		Params:     state.LocalParams(),
		Validators: slices.Clone(c.Validators),
		Rules:      []string{receipt.Rule},
		Terms:      []state.Terms{CCBY4()},
	}
	if c.EpochMS != 0 {
		d.Params.EpochMS, d.Params.Staking.UnbondingMS = c.EpochMS, max(unbondingMS, c.EpochMS)
		d.Params.Consensus.PaceMS = paceMS
	}
	if d.Network == "" {
		d.Network = "local"
	}
	for i := range d.Validators {
		d.Validators[i].Power = max(1, d.Validators[i].Power)
	}
	slices.SortFunc(d.Validators, func(a, b Member) int {
		if a.Power != b.Power {
			if a.Power > b.Power {
				return -1
			}
			return 1
		}
		return a.Address.Compare(b.Address)
	})
	given, err := d.addAccounts(c.Accounts)
	if err != nil {
		return Doc{}, err
	}
	var bonded fixed.Amount
	for i := range d.Validators {
		bond, err1 := d.Validators[i].bond()
		sum, err2 := fixed.Add(bonded, bond)
		if err1 != nil || err2 != nil {
			return Doc{}, fmt.Errorf("%w: power of validator %d", ErrGenesis, i)
		}
		bonded = sum
	}
	left, err1 := fixed.Sub(state.Total, given)
	left, err2 := fixed.Sub(left, bonded)
	if err1 != nil || err2 != nil || left < LocalFaucet {
		return Doc{}, fmt.Errorf("%w: accounts hold %v and validators %v of %v", ErrGenesis, given, bonded, state.Total)
	}
	d.Modules = []state.Balance{
		{Name: "bonded", Amount: bonded},
		{Name: "faucet", Amount: LocalFaucet},
		{Name: "reserve", Amount: left - LocalFaucet},
	}
	return d, d.Check()
}

// addAccounts sorts and merges the accounts and returns their sum.
func (d *Doc) addAccounts(list []Alloc) (fixed.Amount, error) {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b Alloc) int { return a.Address.Compare(b.Address) })
	d.Accounts = []Alloc{}
	var sum fixed.Amount
	for _, a := range sorted {
		if a.Amount == 0 {
			continue
		}
		var err error
		if sum, err = fixed.Add(sum, a.Amount); err != nil {
			return 0, fmt.Errorf("%w: balances overflow", ErrGenesis)
		}
		if n := len(d.Accounts); n > 0 && d.Accounts[n-1].Address == a.Address {
			d.Accounts[n-1].Amount += a.Amount // cannot overflow: part of sum
			continue
		}
		d.Accounts = append(d.Accounts, a)
	}
	return sum, nil
}

// ccby4Text is SHA-256 of the plain text of the licence: 18,628 bytes in lines of
// at most 72, from "Attribution 4.0 International" to "creativecommons.org." and
// a line feed.
const ccby4Text = "a6c2ae744135b345e8f1644a7eda5f7ff342e76e3fd7a388823611af67531220"

// CCBY4 returns the terms of Creative Commons Attribution 4.0: every use is
// permitted, attribution is required.
func CCBY4() state.Terms {
	t := state.Terms{
		SPDX: "CC-BY-4.0",
		Flags: state.TermsTrain | state.TermsFineTune | state.TermsInfer | state.TermsRetrieve |
			state.TermsCommercial | state.TermsDerive | state.TermsRedistribute | state.TermsEval,
		Attribution: true,
	}
	h, _ := hex.DecodeString(ccby4Text)
	copy(t.TextHash[:], h)
	return t
}

// Validator describes a validator by its account and vote key, from which its
// other keys are derived. Cost: about 1 ms.
func Validator(account keys.Address, vote keys.PrivateKey, power uint64) Member {
	b := bls.Derive(vote)
	return Member{Address: account, VoteKey: vote.Public(), BLSKey: b.Public(), Possession: b.ProvePossession(),
		VRFKey: vrf.Derive(vote).Public(), Power: power}
}
