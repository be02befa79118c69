// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/consensus/valset"
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
	EpochMS        uint64       `json:"epoch_ms"`         // least length of an epoch in header time (CONS-40)
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
	Consensus      Consensus    `json:"consensus"`        // CONS-53
	Staking        Staking      `json:"staking"`          // STK-01, STK-02
}

// Consensus are the timers and sizes of CONS-53, in milliseconds and bytes.
type Consensus struct {
	_           struct{} `cbor:",toarray"`
	DeltaMS     uint64   `json:"delta_ms"`     // bound on a message's way, at first
	DeltaCapMS  uint64   `json:"delta_cap_ms"` // at most
	PaceMS      uint64   `json:"pace_ms"`      // between proposals
	HeartbeatMS uint64   `json:"heartbeat_ms"` // between blocks without work
	CertifyMS   uint64   `json:"certify_ms"`   // between aggregate certificates
	DriftMS     uint64   `json:"drift_ms"`     // how far a block's time may run ahead
	LagMS       uint64   `json:"lag_ms"`       // how far it may lie behind
	BlockBytes  uint64   `json:"block_bytes"`  // most bytes of a block's encoded batches
}

// Staking are the parameters of validators and their stakes.
type Staking struct {
	_             struct{}     `cbor:",toarray"`
	UnbondingMS   uint64       `json:"unbonding_ms"`   // after the end of the epoch in which a stake leaves
	MaxValidators uint64       `json:"max_validators"` // in a set
	PowerCapBPS   uint64       `json:"power_cap_bps"`  // of one validator, of what the set has bonded
	MinSelfBond   fixed.Amount `json:"min_self_bond"`  // of a validator that may be elected
	BeaconBlocks  uint64       `json:"beacon_blocks"`  // VRF blocks between a commitment and its seed
}

// MaxBlockBytes is the largest block_bytes: with its header, certificate and
// justification such a body is one frame of blocks/1 (P2P-08).
const MaxBlockBytes = 896 << 10

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
		Consensus: Consensus{DeltaMS: 500, DeltaCapMS: 30_000, PaceMS: 20, HeartbeatMS: 5_000, CertifyMS: 1_000,
			DriftMS: 500, LagMS: 30_000, BlockBytes: MaxBlockBytes},
		Staking: Staking{UnbondingMS: 10_000, MaxValidators: 16, PowerCapBPS: 1_000, MinSelfBond: fixed.OPEN, BeaconBlocks: 2},
	}
}

// TestnetParams are the parameters of a public test network.
func TestnetParams() Params {
	p := LocalParams()
	p.EpochMS = 10 * minuteMS
	p.Consensus.PaceMS = 50
	p.Staking.UnbondingMS, p.Staking.MaxValidators = 24*60*minuteMS, 64
	return p
}

// MainParams are the parameters of the main network.
func MainParams() Params {
	p := TestnetParams()
	p.Faucet = false
	p.EpochMS = 6 * 60 * minuteMS
	p.Consensus.HeartbeatMS = 15_000
	p.Staking.UnbondingMS, p.Staking.MaxValidators, p.Staking.MinSelfBond = 21*24*60*minuteMS, 150, 10_000*fixed.OPEN
	return p
}

const minuteMS = 60_000

// Check verifies the bounds of every parameter (INV-12). Errors: ErrParams,
// econ.ErrRates.
func (p Params) Check() error {
	const year = 366 * 24 * 3_600_000
	c, s := p.Consensus, p.Staking
	return errors.Join(checkBounds([]bound{
		{"kind_weight", p.KindWeight, 1, 1_000_000},
		{"max_block_weight", p.MaxBlockWeight, 1_000_000, 100_000_000},
		{"base_fee_min", uint64(p.BaseFeeMin), 1, 1_000_000},
		{"byte_deposit", uint64(p.ByteDeposit), 1, 100_000},
		{"valid_ahead", p.ValidAhead, 100, 1_000_000},
		{"epoch_ms", p.EpochMS, 10_000, 7 * 24 * 60 * minuteMS},
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
		{"delta_ms", c.DeltaMS, 50, min(5_000, c.DeltaCapMS)},
		{"delta_cap_ms", c.DeltaCapMS, c.DeltaMS, 120_000},
		{"pace_ms", c.PaceMS, 0, 5_000},
		{"heartbeat_ms", c.HeartbeatMS, 1_000, 60_000},
		{"certify_ms", c.CertifyMS, 200, 10_000},
		{"drift_ms", c.DriftMS, 0, 2_000},
		{"lag_ms", c.LagMS, 5_000, 120_000},
		{"block_bytes", c.BlockBytes, 128 << 10, MaxBlockBytes},
		{"unbonding_ms", s.UnbondingMS, p.EpochMS, year},
		{"max_validators", s.MaxValidators, 1, valset.MaxValidators},
		{"power_cap_bps", s.PowerCapBPS, 1, econ.BPS},
		{"min_self_bond", uint64(s.MinSelfBond), uint64(fixed.OPEN), uint64(Total)},
		{"beacon_blocks", s.BeaconBlocks, 2, 32},
	}), p.Rates.Check())
}

// bound is a parameter with its least and greatest value.
type bound struct {
	name        string
	v, min, max uint64
}

func checkBounds(list []bound) error {
	for _, b := range list {
		if b.v < b.min || b.v > b.max {
			return fmt.Errorf("%w: %s %d is not in %d..%d", ErrParams, b.name, b.v, b.min, b.max)
		}
	}
	return nil
}
