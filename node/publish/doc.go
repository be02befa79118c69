// SPDX-License-Identifier: Apache-2.0

// Package publish turns a CSV file or a text into what the ledger records about a
// dataset (content id, row root, manifest) and into the signed announcement that
// nodes gossip, and reads it again (P2P-10, LIN-01, DAT-02). It reads bytes and returns values; files,
// network and keys belong to its callers.
package publish
