// SPDX-License-Identifier: Apache-2.0

// Package header holds the block header: the one thing that validators vote
// on. A header names its parent, commits to the batches of its block, to the
// certificates that justify its place, and to the state after its parent.
//
// Rules says, from the parameters of an epoch, which kind of block is due, which
// are certified, and which feed the beacon.
//
// It refuses bytes that are not the one canonical encoding and fields that no
// block of this protocol version may have. It does not know whether a header
// is final: that is what package cert proves.
//
// The main type is Header:
//
//	h, err := header.Decode(b)
//	if err != nil { … }
//	hash := h.Hash()
//
// Clauses: CONS-31, CONS-26 (payload root), CONS-32, CONS-35, CONS-40.
package header
