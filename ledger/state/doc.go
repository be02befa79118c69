// SPDX-License-Identifier: Apache-2.0

// Package state names every object of the ledger: its key, its record, and how to
// read it from a View. Keys are module ‖ sub ‖ key bytes, values are canonical
// CBOR.
//
// It refuses to decide anything: no rule of a transaction lives here. It does no
// I/O; a View hands out values and an Overlay collects changes above it.
//
// The main types are View and Overlay:
//
//	o := state.NewOverlay(view)
//	acc, err := state.GetAccount(o, addr)
//	acc.Free += 5
//	o.Put(state.AccountKey(addr), enc.Encode(acc))
//	writes := o.Writes() // ascending by key
//
// Spec: ACC-01, ACC-03, STA-01, EXE-03.
package state
