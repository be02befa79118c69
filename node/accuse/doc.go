// SPDX-License-Identifier: Apache-2.0

// Package accuse brings proof of faults where it counts: it names the guilty of
// a fork from the data folders of two nodes that were on different sides of it.
//
// It refuses to believe either node: the validator set comes from the last block
// that both hold, everything else from signatures.
//
// The main type is Verdict:
//
//	a, err := store.OpenRead(homeA)
//	v, err := accuse.Fork(a, b, sets)
//	for _, g := range v.Guilty { fmt.Println(g.Address, g.Kind) }
//
// Clauses: CONS-50, CONS-52.
package accuse
