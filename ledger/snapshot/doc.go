// SPDX-License-Identifier: Apache-2.0

// Package snapshot is the form in which a whole state travels: the state tree cut
// into its subtrees of one depth, each a [Chunk] with its keys, its values and the
// siblings up to the root. A chunk is checked alone against a certified state
// root, whoever sent it and in whatever order; there is no list of chunks to
// trust. The same state and depth give the same bytes everywhere, so a chunk has a
// name, the SHA2-256 multihash of its bytes.
//
// It refuses chunks that are incomplete, that hold anything else, or whose bytes
// are not the only ones for what they say. It does no I/O; node/snapshot writes,
// serves and fetches chunks.
//
//	c, err := snapshot.Decode(b)
//	err = c.Verify(seal.StateRoot)
//
// Spec: STA-09, CONS-48.
package snapshot
