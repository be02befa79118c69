// SPDX-License-Identifier: Apache-2.0

// Package ledger holds what goes into and comes out of execution: blocks of
// batches, receipts and events, and the roots over them.
//
// It refuses a block whose body is not what its header commits to or that holds
// an invalid transaction; Verify is the only maker of a VerifiedBlock. It
// executes nothing (ledger/exec does).
//
// The main type is Block:
//
//	vb, err := ledger.Verify(chainID, block, cache) // signatures, once
//	res, err := exec.Apply(view, env, vb)
//	root := ledger.ReceiptsRoot(res.Receipts)
//
// Spec: TXN-04, CONS-26, CONS-31.
package ledger
