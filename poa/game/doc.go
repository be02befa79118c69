// SPDX-License-Identifier: Apache-2.0

// Package game computes exact values of a cooperative game from the table of
// all its 2^n coalition values: Shapley, Banzhaf, Beta(a, b) and leave-one-out.
//
// All arithmetic is on integers; each value is one exact rational, divided at
// the end, so printing is the only rounding.
//
// It refuses to do: sampling (package sampler), floats, playing a model to get
// the values. Banzhaf and Beta are for analysis and never paid: they do not sum
// to what the players earned together (GAM-01).
//
// Main type: Table. For example:
//
//	t, err := game.Parse([]byte(`{"n":2,"v":[0,0.5,0.25,1]}`))
//	s := t.Strata()
//	s.Shapley() // 5/8, 3/8
//
// Spec: GAM-01, OFF-01.
package game
