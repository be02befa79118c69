// SPDX-License-Identifier: Apache-2.0

// Package lineage names single data rows and ties them to the dataset that the
// ledger records: row hash, shard root, dataset root, and the path of a row to
// the root.
//
// A dataset root depends on the rows and their order alone, not on the text of
// the file. Rows go into shards of 65,536, so that a part of a large dataset
// can be fetched and checked alone.
//
// It refuses to read files, to judge content and to hide anything: these hashes
// are unsalted and serve public rows.
//
// The main type is Path:
//
//	rows := lineage.TableRows(t)
//	root := lineage.Root(rows)      // row_root of DatasetUpload
//	p, err := lineage.Prove(rows, 7)
//	err = p.Verify(root, rows[7])
//
// Spec: LIN-01.
package lineage
