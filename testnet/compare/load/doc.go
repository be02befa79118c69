// SPDX-License-Identifier: Apache-2.0

// Package load is the one sender of both networks: it signs transfers of 250
// bytes beforehand, submits each at the instant it is due, whether or not earlier
// ones are done, and stamps it when the first poll of one fixed node shows the
// height that executed it. It knows a network only as a Chain.
//
// It judges nothing; measure does.
//
//	purse := load.NewPurse(4_000)
//	run, err := load.Load{Chain: c, Purse: purse, Rate: 500, Batch: 1, For: 30 * time.Second}.Run(ctx)
//
// Clauses: CONS-70.
package load
