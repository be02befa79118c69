// SPDX-License-Identifier: Apache-2.0

// Package genesis is the document that a network starts from: balances,
// parameters, validators and licence terms. The chain id is the hash of its
// bytes, so everything signed on a network names this document.
//
// It refuses a document whose balances do not sum to the fixed supply, whose
// parameters are out of bounds or whose lists are not in order. It reads no file.
//
// The main type is Doc:
//
//	d, err := genesis.Local(genesis.LocalConfig{TimeMS: now, Validators: vals})
//	raw := d.Encode()             // what every node keeps and hashes
//	chainID := d.ChainID()
//	writes := d.Writes()          // the state of height 0
//	d2, err := genesis.ParseJSON(d.JSON())
//
// Spec: GEN-01, ACC-01, INV-01, INV-12.
package genesis
