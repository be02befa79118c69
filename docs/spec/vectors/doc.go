// SPDX-License-Identifier: Apache-2.0

// Package vectors is the folder of golden vectors: inputs and results of every
// encoding, hash, proof and split, as JSON that any language can read. It holds
// no code beside its tests.
//
// Each file is checked twice: by the Go package that owns the rule, which also
// fails when the file is not current, and by a Python script beside the file,
// which shares no code with this program. check.py needs nothing but Python 3;
// the scripts named *_check.py belong to single subjects. A new implementation
// is right when it passes the same files.
//
// check.py covers
//
//	enc.json      canonical encodings and refused bytes      ENC-01..03
//	addr.json     keys, auths, addresses, domains, ZIP-215   ENC-05, KEY-01, KEY-02
//	split.json    exact splits, accumulators, amounts        ACC-02, PAY-02, PAY-04, SHR-02
//	content.json  content ids, units, node pages             ENC-04, P2P-13
//	draw.json     random streams of draws and permutations   EXE-05, ARC-04
//
// bls_check.py and vrf_check.py hold a pairing and a group of their own, so that
// bls.json (CONS-12) and vrf.json (CONS-34) do not rest on one library.
//
// Each file names their clauses in its first lines. Vectors are frozen once
// released: a change of an existing result is a change of the protocol.
//
// Spec: ENC-06.
package vectors
