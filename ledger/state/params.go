// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/econ"
)

// Total is the fixed supply in base units (ACC-01).
const Total fixed.Amount = 1_000_000_000 * fixed.OPEN

// ErrParams reports parameters out of bounds.
var ErrParams = errors.New("parameter out of bounds")

// Params are the parameters of state module 11. Amounts are base units; windows
// are chain milliseconds. Check holds the bounds.
type Params struct {
	_              struct{}     `cbor:",toarray"`
	KindWeight     uint64       `json:"kind_weight"`      // K of FEE-01, the same for every kind
	MaxBlockWeight uint64       `json:"max_block_weight"` // FEE-02
	BaseFeeMin     fixed.Amount `json:"base_fee_min"`     // per unit of weight
	ByteDeposit    fixed.Amount `json:"byte_deposit"`     // FEE-03, per byte
	ValidAhead     uint64       `json:"valid_ahead"`      // heights valid_until may lie ahead
	EpochMS        uint64       `json:"epoch_ms"`         // least length of an epoch in header time (EXE-04)
	DuePerBlock    uint64       `json:"due_per_block"`    // due-queue entries run per block
	Faucet         bool         `json:"faucet"`           // whether FaucetDrip is allowed
	FaucetDrip     fixed.Amount `json:"faucet_drip"`      // what one drip pays
	ComputeBond    fixed.Amount `json:"compute_bond"`     // least bond of an operator
	MaxOperators   uint64       `json:"max_operators"`    // registered at most
	ModelStake     fixed.Amount `json:"model_stake"`      // least stake of a model
	AttrBond       fixed.Amount `json:"attribution_bond"` // least bond of an AttributionCommit
	ChannelMinMS   uint64       `json:"channel_min_ms"`   // least window of a channel
	ChannelMaxMS   uint64       `json:"channel_max_ms"`   // longest window of a channel
	ChannelLifeMS  uint64       `json:"channel_life_ms"`  // longest life of a channel
	CommitEpochs   uint64       `json:"commit_epochs"`    // epochs after its own in which an EpochCommit is taken
	Rates          econ.Rates   `json:"rates"`            // PAY-01
}

// LocalParams are the parameters of a local network.
func LocalParams() Params {
	return Params{
		KindWeight:     1_000,
		MaxBlockWeight: 5_000_000,
		BaseFeeMin:     1,
		ByteDeposit:    100,
		ValidAhead:     10_000,
		EpochMS:        10_000,
		DuePerBlock:    512,
		Faucet:         true,
		FaucetDrip:     1_000 * fixed.OPEN,
		ComputeBond:    fixed.OPEN,
		MaxOperators:   1_024,
		ModelStake:     fixed.OPEN,
		AttrBond:       fixed.OPEN,
		ChannelMinMS:   1_000,
		ChannelMaxMS:   7 * 24 * 3_600_000,
		ChannelLifeMS:  365 * 24 * 3_600_000,
		CommitEpochs:   2,
		Rates:          econ.DefaultRates(),
	}
}

// Check verifies the bounds of every parameter (INV-12). Errors: ErrParams,
// econ.ErrRates.
func (p Params) Check() error {
	const year = 366 * 24 * 3_600_000
	for _, b := range []struct {
		name        string
		v, min, max uint64
	}{
		{"kind_weight", p.KindWeight, 1, 1_000_000},
		{"max_block_weight", p.MaxBlockWeight, 1_000_000, 100_000_000},
		{"base_fee_min", uint64(p.BaseFeeMin), 1, 1_000_000},
		{"byte_deposit", uint64(p.ByteDeposit), 1, 100_000},
		{"valid_ahead", p.ValidAhead, 100, 1_000_000},
		{"epoch_ms", p.EpochMS, 1_000, 86_400_000},
		{"due_per_block", p.DuePerBlock, 16, 4_096},
		{"faucet_drip", uint64(p.FaucetDrip), 1, uint64(Total)},
		{"compute_bond", uint64(p.ComputeBond), 1, uint64(Total)},
		{"max_operators", p.MaxOperators, 1, 4_096},
		{"model_stake", uint64(p.ModelStake), 1, uint64(Total)},
		{"attribution_bond", uint64(p.AttrBond), 1, uint64(Total)},
		{"channel_min_ms", p.ChannelMinMS, 1_000, p.ChannelMaxMS},
		{"channel_max_ms", p.ChannelMaxMS, p.ChannelMinMS, year},
		{"channel_life_ms", p.ChannelLifeMS, p.ChannelMinMS, 10 * year},
		{"commit_epochs", p.CommitEpochs, 1, 16},
	} {
		if b.v < b.min || b.v > b.max {
			return fmt.Errorf("%w: %s %d is not in %d..%d", ErrParams, b.name, b.v, b.min, b.max)
		}
	}
	return p.Rates.Check()
}
