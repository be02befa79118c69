// SPDX-License-Identifier: Apache-2.0

// Package votelog is the write-ahead log of a validator together with its
// double-sign guard: it says what the key has signed, and refuses to go on from a
// log that does not say all of it. It decides nothing about votes.
//
//	log, contents, err := votelog.Open(cfg)
//	var lost *votelog.Lost
//	if errors.As(err, &lost) { // the key may have signed what nobody remembers
//		err = votelog.Restart(cfg, epoch, certified, false) // abstain for a while, then Open again
//	}
//	core.NoSignUpTo = log.Bound(epoch)
//
// Spec: CONS-43, CONS-44, CONS-45, NODE-03.
package votelog
