// SPDX-License-Identifier: Apache-2.0

// Package econ holds the formulas by which a paid answer becomes income: the
// split of a gross amount between burn, treasury, validators, operator,
// trainer and contributors, and the share of each contributor inside one
// receipt. It holds no state, moves no money and rounds nothing away: every
// function returns parts that sum to its input.
//
// The main type is Split:
//
//	s, err := econ.SplitGross(gross, econ.Price{Ask: ask, Royalty: royalty}, econ.DefaultRates())
//	// s.Burn+s.Treasury+s.Validators+s.Operator+s.Trainer+s.Contributors == gross
//
// Spec: PAY-01, PAY-02, SHR-02, SHR-05, INV-05.
package econ
