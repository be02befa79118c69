// SPDX-License-Identifier: Apache-2.0

// Package msg holds the messages that validators exchange: proposals, votes,
// certificates and batches, their one encoding, and their check.
//
// It refuses what is malformed, of another epoch, signed by a stranger or
// badly signed. Whether a message is useful or lawful in the protocol is for
// package consensus, which takes only Verified values; Verify is their only
// maker, alone or with a memory of what it has checked before (Votes).
//
// The main type is Verified:
//
//	m, err := msg.Decode(frame)     // cheap; charge the peer on error
//	if !core.Want(m) { return }     // stale or already known: drop
//	v, err := msg.Verify(set, chainID, m) // signatures, on any goroutine
//	out := core.Step(consensus.Input{Event: consensus.Message{Verified: v}})
//
// Clauses: CONS-10, CONS-11, CONS-13, CONS-26, CONS-28.
package msg
