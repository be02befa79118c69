// SPDX-License-Identifier: Apache-2.0

// Package cert holds what a quorum has signed: notarizations, nullifications
// and finalizations as lists of Ed25519 signatures, finalizations of certified
// blocks as one BLS signature, and the proof that a header is final.
//
// It refuses certificates whose signers hold less than a quorum, whose bitmap
// is not exact, or of which one signature fails. It does not follow the
// protocol; package consensus does.
//
// The main types are Certificate and Light, which follows the validator sets of
// a chain from one trusted header:
//
//	fin, err := cert.Decode(b)
//	if err == nil { err = cert.VerifyFinalization(set, chainID, fin) }
//
// Clauses: CONS-10 (signed bytes), CONS-11, CONS-12, CONS-32 (FinalityProof),
// CONS-40, CONS-49 (Light).
package cert
