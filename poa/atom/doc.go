// SPDX-License-Identifier: Apache-2.0

// Package atom turns rows into the players of a data game: clusters of exact
// and near-duplicate rows, each played by its earliest row.
//
// Whoever copies rows, splits them over accounts or puts them a little to the
// side of the originals joins the earlier owner's atom and gets nothing. Rows
// that stand on a validation row leave, whichever of the two came later.
//
// It refuses to look at accounts: an owner is a number that is carried along
// (ATM-01). The only order it knows is priority.
//
// Main type: Set, made by Build. For example:
//
//	tau := atom.Tau(64, 16) // digits: 8×8 pixels, 0..16
//	set, err := atom.Build(train, valid, tau)
//	// set.Atoms play; set.Rows[i].Reason says why row i does not
//
// Spec: ATM-01..07.
package atom
