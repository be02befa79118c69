// SPDX-License-Identifier: Apache-2.0

// Package enc is the one byte format of everything that OpenLedger signs,
// hashes or stores: CBOR, RFC 8949 section 4.2.1 core deterministic encoding,
// with exactly one valid encoding per value (ENC-01, ENC-02, ENC-03).
//
// Structs are arrays: give each a `_ struct{} `cbor:",toarray"“ field. An
// absent optional is a nil pointer. Maps, tags, floats, indefinite lengths and
// bignums do not exist here.
//
//	b := enc.Encode(&v)
//	var w T
//	if err := enc.Decode(b, &w); err != nil { … }
package enc
