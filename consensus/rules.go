// SPDX-License-Identifier: Apache-2.0

package consensus

// mutation names a rule that a build with the tag mutant can break, so that a
// test can show which invariant notices (CONS-62). In every other build broken
// is the constant false and the compiler removes what hangs on it.
type mutation uint8

const (
	mutNone           mutation = iota
	mutNullifyFinal            // Nullify a view that was finalized
	mutFinalizeNull            // Finalize a view that was nullified
	mutFinalizeOther           // Finalize against the own Notarize
	mutForgetVotes             // own votes are not restored
	mutSmallQuorum             // q = ⌈2W/3⌉
	mutCountTwice              // a signer counts as often as it speaks
	mutNoGapCheck              // nullifications of the gap are not checked
	mutNoParentCheck           // the parent's certificate is not checked
	mutNoRootCheck             // state roots are not checked
	mutNoBody                  // Finalize without the body
	mutNoSync                  // own signatures leave before they are on disk
	mutNoResend                // nothing is ever repeated
	mutAskOnce                 // what does not come is not asked for again
	mutNoGrowth                // Δ never grows
	mutNoWindow                // votes of any future view are kept
	mutNoCertRecord            // certificates are not recorded
	mutNotarizedSeal           // the next epoch starts from a notarized seal
	mutRunCarriers             // carriers are executed
	mutNextSet                 // the next set in a seal is not checked
	mutLeaderOff               // a leader counts its views one off
	mutLateVote                // late Finalize votes at or below B
	mutNoGuard                 // B is ignored
	mutCertEarly               // certificates with an own signature overtake the disk
	mutResign                  // an own proposal is made anew after a restart
	mutShareUnchecked          // the sum of shares is not checked
	mutBeacon                  // the VRF of a block is not checked
	mutStart                   // the proof of the epoch's root is not checked
	mutNoAncestor              // bodies of ancestors are not asked for
)
