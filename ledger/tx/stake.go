// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// Stake (0201) bonds Amount base units with a validator and gives the sender
// shares of its pool. Spec: STK-01.
type Stake struct {
	_         struct{}     `cbor:",toarray"`
	Validator keys.Address `json:"validator"`
	Amount    fixed.Amount `json:"amount"`
}

// Kind implements Payload.
func (*Stake) Kind() Kind { return KindStake }

// Writes implements Payload: sender, bonded, fees, deposits, validator, delegation.
func (*Stake) Writes() uint64 { return 6 }

// Check implements Payload.
func (p *Stake) Check() error {
	return checks(account("validator", p.Validator), positive("amount", p.Amount))
}

// Unstake (0202) gives Shares of a validator's pool back; what they are worth is
// paid when the unbonding time is over. Spec: STK-01.
type Unstake struct {
	_         struct{}     `cbor:",toarray"`
	Validator keys.Address `json:"validator"`
	Shares    uint64       `json:"shares"`
}

// Kind implements Payload.
func (*Unstake) Kind() Kind { return KindUnstake }

// Writes implements Payload: sender, bonded, unbonding, fees, deposits, validator,
// delegation, object, due entry.
func (*Unstake) Writes() uint64 { return 9 }

// Check implements Payload.
func (p *Unstake) Check() error {
	return checks(account("validator", p.Validator), within("shares", p.Shares, 1, ^uint64(0)))
}

// Redelegate (0203) moves Shares of one pool into another at once. For the
// unbonding time the stake stays with To and liable for From. Spec: STK-01.
type Redelegate struct {
	_      struct{}     `cbor:",toarray"`
	From   keys.Address `json:"from"`
	To     keys.Address `json:"to"`
	Shares uint64       `json:"shares"`
}

// Kind implements Payload.
func (*Redelegate) Kind() Kind { return KindRedelegate }

// Writes implements Payload: sender, fees, deposits, two validators, two
// delegations, object, due entry.
func (*Redelegate) Writes() uint64 { return 9 }

// Check implements Payload.
func (p *Redelegate) Check() error {
	if p.From == p.To {
		return Errorf(EncField, "from and to are the same validator")
	}
	return checks(account("from", p.From), account("to", p.To), within("shares", p.Shares, 1, ^uint64(0)))
}

// RewardClaim (0208) pays the sender its rewards of a validator's pool, a
// validator its commission too. Spec: STK-03.
type RewardClaim struct {
	_         struct{}     `cbor:",toarray"`
	Validator keys.Address `json:"validator"`
}

// Kind implements Payload.
func (*RewardClaim) Kind() Kind { return KindRewardClaim }

// Writes implements Payload: sender, fees, validator, delegation.
func (*RewardClaim) Writes() uint64 { return 4 }

// Check implements Payload.
func (p *RewardClaim) Check() error { return account("validator", p.Validator) }
