// SPDX-License-Identifier: Apache-2.0

package tx

import "github.com/openledger/openledger/internal/keys"

// FaucetDrip (0104) pays the faucet's fixed amount to To, once per address and
// ledger epoch. The sender only pays the fee.
type FaucetDrip struct {
	_  struct{}     `cbor:",toarray"`
	To keys.Address `json:"to"`
}

// Kind implements Payload.
func (*FaucetDrip) Kind() Kind { return KindFaucetDrip }

// Writes implements Payload: sender, faucet, receiver, mark.
func (*FaucetDrip) Writes() uint64 { return 4 }

// Check implements Payload.
func (p *FaucetDrip) Check() error { return account("to", p.To) }
