// SPDX-License-Identifier: Apache-2.0

// Package enc is the one byte format of everything that OpenLedger signs,
// hashes or stores: CBOR, RFC 8949 section 4.2.1 core deterministic encoding,
// with exactly one valid encoding per value.
//
// Structs are arrays of fixed length: give each a blank field of type struct{}
// with the tag cbor:",toarray". An absent optional is a nil pointer, written as
// null. A union is an array whose first element says which body follows. A nil
// and an empty slice have one encoding.
//
// It refuses maps, tags, floats, indefinite lengths, bignums, simple values
// other than false, true and null, integers outside [−2^63, 2^64), text that is
// not UTF-8, nesting beyond 8 arrays, arrays beyond 65,536 elements, trailing
// bytes, and every encoding that is not the shortest.
//
// There is no main type: [Encode] and [Decode] work on plain structs.
//
//	type pair struct {
//		_    struct{} `cbor:",toarray"`
//		Name string
//		N    uint64
//	}
//	b := enc.Encode(pair{Name: "a", N: 7}) // 82 61 61 07
//	var p pair
//	err := enc.Decode(b, &p)
//
// Spec: ENC-01, ENC-02, ENC-03.
package enc
