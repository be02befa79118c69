// SPDX-License-Identifier: Apache-2.0

// Package consensus decides one block per height: Simplex (Chan, Pass, TCC
// 2023) with stake-weighted votes, as one pure state machine. A leader
// proposes a block, validators notarize it, and with a quorum's notarization
// they enter the next view and finalize; if nothing comes in time they nullify
// the view. One final block decides all its ancestors.
//
// It refuses to see bodies, disks, clocks and peers. The driver brings verified
// messages, the time and answers as Input and carries out Output in the order
// of its fields. What is signed is on disk before it leaves, so a restarted
// node repeats its words and never changes them.
//
// The main type is Core:
//
//	core, err := consensus.New(cfg)
//	out := core.Step(consensus.Input{Now: now, Wall: wall, Event: consensus.Restored{Records: wal}})
//	for { act(out); out = core.Step(next()) }
//
// Clauses: CONS-04, CONS-20 to CONS-25, CONS-33, CONS-43, CONS-44, CONS-53.
package consensus
