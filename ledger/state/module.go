// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/openledger/openledger/internal/keys"

// Module accounts: every locked unit sits in one of them. They have no key, so
// only the rules of a transaction kind move their money. Spec: ACC-01, KEY-02.
var (
	Reserve  = keys.ModuleAddress("reserve")
	Treasury = keys.ModuleAddress("treasury")
	Burned   = keys.ModuleAddress("burned")
	Faucet   = keys.ModuleAddress("faucet")
	Items    = keys.ModuleAddress("items")          // stakes of datasets, models, attributions
	Deposits = keys.ModuleAddress("deposits")       // state deposits
	Compute  = keys.ModuleAddress("bonded-compute") // bonds of operators
	Tasks    = keys.ModuleAddress("tasks")          // escrow of tasks
	Channels = keys.ModuleAddress("channels")       // deposits of channels
	Pending  = keys.ModuleAddress("pending")        // redeemed, not yet settled
	Pools    = keys.ModuleAddress("pools")          // settled, not yet claimed
	Bonds    = keys.ModuleAddress("bonded-commit")  // bonds of epoch commits
	Bonded   = keys.ModuleAddress("bonded")         // stakes with validators
	Unbonds  = keys.ModuleAddress("unbonding")      // stakes on their way out
	Fees     = keys.ModuleAddress("fees")           // rewards of validators, not yet claimed
)

// Module is a module account with its name.
type Module struct {
	Name    string
	Address keys.Address
}

// Modules lists every module account by name.
var Modules = []Module{
	{"bonded", Bonded},
	{"bonded-commit", Bonds},
	{"bonded-compute", Compute},
	{"burned", Burned},
	{"channels", Channels},
	{"deposits", Deposits},
	{"faucet", Faucet},
	{"fees", Fees},
	{"items", Items},
	{"pending", Pending},
	{"pools", Pools},
	{"reserve", Reserve},
	{"tasks", Tasks},
	{"treasury", Treasury},
	{"unbonding", Unbonds},
}

// ModuleName returns the name of a module account, "" for any other address.
func ModuleName(a keys.Address) string {
	for _, m := range Modules {
		if m.Address == a {
			return m.Name
		}
	}
	return ""
}
