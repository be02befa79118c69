// SPDX-License-Identifier: Apache-2.0

// Package fetch stores content under its hash and brings it from peers.
//
// A blob lies in dir/aa/bb/<content id>, read-only, with its tree values beside
// it. A fetch asks up to four peers over blob/1 and checks every 64 KiB unit
// against the BLAKE3 tree before it is written, so a lying peer costs one unit
// of traffic and loses its score. <id>.part is written in place; <id>.map says
// which units are safely on disk, so that after a cut only the others are
// fetched again. Small documents named by SHA2-256 travel as one unit.
//
// It refuses content above the store's disk bound before the first byte, units
// and pages that do not verify, and map files with a wrong checksum. It does not
// know what a blob means and keeps no index of names.
//
// The main types are [Store] and [Fetcher].
//
//	st, err := fetch.OpenStore("blobs", 10<<30)
//	id, size, err := st.Put(file)
//	f, err := fetch.New(fetch.Config{Streams: svc, Store: st, Book: book})
//	err = f.Fetch(ctx, id, size, providers, nil)
//
// Spec: P2P-08 (blob/1), P2P-13, P2P-14, ENC-04.
package fetch
