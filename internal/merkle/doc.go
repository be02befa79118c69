// SPDX-License-Identifier: Apache-2.0

// Package merkle holds the three hash trees of OpenLedger and their proofs.
//
//   - The RFC 6962 tree over a list: [Root], [Prove], [Verify]. Rows, segments
//     and result leaves are committed with it.
//   - The state tree: a 16-ary Jellyfish Merkle tree over all state keys.
//     [Update] turns the write set of one block into new tree nodes and a new
//     [StateRoot]; [ProveState] makes a [StateProof] that a key has a value or
//     is absent. The root depends on the contents alone, never on the history.
//     [ProveSubtree] proves all that stands under a nibble prefix, and a
//     [Builder] makes the stored tree out of its subtrees.
//   - The Merkle-sum tree over a list of amounts: [SumTree], [ProveSum] and
//     [ProveSumRange]. A proof yields the sum of all leaves before the proven
//     one, so a range proof yields an amount that cannot be claimed twice.
//
// All hashes are SHA-256. Every proof has exactly one valid form: whatever is
// superfluous is refused with [ErrShape], whatever does not hash to the given
// root with [ErrRoot].
//
// The package refuses to do I/O: tree nodes come in through a [NodeReader] and
// leave as values. It does not decide which nodes may be deleted and it gives
// no meaning to keys, values and bodies.
//
//	root, nodes, stale, err := merkle.Update(reader, old, height, writes)
//	proof, err := merkle.ProveState(reader, root, key, value)
//	err = proof.Verify(root.Hash)
//
// Spec: STA-01..STA-04, STA-09, RCP-02, PAY-05.
package merkle
