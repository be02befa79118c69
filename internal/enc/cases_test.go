// SPDX-License-Identifier: Apache-2.0

package enc

import (
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"strings"
)

func hash(fill byte) (h [32]byte) {
	for i := range h {
		h[i] = fill
	}
	return h
}

// validVectors encodes Go values; check.py and the round-trip test decode them.
func validVectors() []validVector {
	h, n := hash(7), uint64(24)
	var out []validVector
	add := func(name, schema string, v any) {
		out = append(out, validVector{Name: name, Schema: schema, Value: plain(reflect.ValueOf(v)), Hex: hex.EncodeToString(Encode(v))})
	}
	add("zero takes one byte", "uint", uint64(0))
	add("23 is the last one-byte integer", "uint", uint64(23))
	add("24 is the first two-byte integer", "uint", uint64(24))
	add("255 takes two bytes", "uint", uint64(255))
	add("256 takes three bytes", "uint", uint64(256))
	add("65535 takes three bytes", "uint", uint64(65535))
	add("65536 takes five bytes", "uint", uint64(65536))
	add("2^32-1 takes five bytes", "uint", uint64(math.MaxUint32))
	add("2^32 takes nine bytes", "uint", uint64(math.MaxUint32+1))
	add("the largest integer", "uint", uint64(math.MaxUint64))
	add("minus one", "int", int64(-1))
	add("the smallest integer", "int", int64(math.MinInt64))
	add("the largest signed integer", "int", int64(math.MaxInt64))
	add("false", "bool", false)
	add("true", "bool", true)
	add("an empty byte string", "bytes", []byte{})
	add("a nil byte string is the empty one", "bytes", []byte(nil))
	add("24 bytes need a long head", "bytes", make([]byte, 24))
	add("a hash", "bytes32", h)
	add("empty text", "text", "")
	add("text beyond ASCII", "text", "π ≈ 3")
	add("an empty list", "list:uint", []uint64{})
	add("a nil list is the empty one", "list:uint", []uint64(nil))
	add("a list keeps its order", "list:uint", []uint64{3, 1, 2, 1})
	add("an ascending set", "set:bytes32", [][32]byte{hash(1), hash(2)})
	add("a set of texts goes by length first", "set:text", []string{"b", "aa"})
	add("a struct is an array", "pair", pair{Name: "a", N: 7})
	add("absent optionals are null", "optional", optional{})
	add("present optionals", "optional", optional{Hash: &h, N: &n})
	add("a record", "record", record{Kind: 0x0101, Hash: h, Memo: []byte("memo"), Parts: []pair{{Name: "x", N: 1}, {}}, Amount: -5, On: true})
	add("8 arrays inside each other", "any", nested(8))
	return out
}

// plain returns the value as the vectors write it: integers in decimal, bytes
// in hex after 0x, structs as lists.
func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Bool, reflect.String:
		return v.Interface()
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return plain(v.Elem())
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return fmt.Sprintf("0x%x", v.Interface())
		}
		list := []any{}
		for i := range v.Len() {
			list = append(list, plain(v.Index(i)))
		}
		return list
	case reflect.Struct:
		list := []any{}
		for i := 1; i < v.NumField(); i++ { // field 0 carries the toarray tag
			list = append(list, plain(v.Field(i)))
		}
		return list
	}
	return fmt.Sprint(v.Interface())
}

// nested returns n arrays inside each other.
func nested(n int) any {
	v := any([]any{})
	for range n - 1 {
		v = []any{v}
	}
	return v
}

// invalidVectors are written byte by byte.
func invalidVectors() []vector {
	zeros := func(n int) string { return strings.Repeat("00", n) }
	h1, h2 := "5820"+strings.Repeat("01", 32), "5820"+strings.Repeat("02", 32)
	return []vector{
		{"no bytes", "uint", "", "malformed"},
		{"a trailing byte", "uint", "0000", "malformed"},
		{"a trailing byte after an array", "pair", "82616107" + "00", "malformed"},
		{"the argument is cut", "uint", "19ff", "malformed"},
		{"the byte string is cut", "bytes", "4301", "malformed"},
		{"the text is cut", "text", "6261", "malformed"},
		{"the array is cut", "list:uint", "8201", "malformed"},
		{"a byte string claims 2^64-1 bytes", "bytes", "5bffffffffffffffff", "malformed"},
		{"23 in two bytes", "uint", "1817", "noncanonical"},
		{"255 in three bytes", "uint", "1900ff", "noncanonical"},
		{"65535 in five bytes", "uint", "1a0000ffff", "noncanonical"},
		{"2^32-1 in nine bytes", "uint", "1b00000000ffffffff", "noncanonical"},
		{"minus one in two bytes", "int", "3800", "noncanonical"},
		{"a byte string with a long head", "bytes", "580100", "noncanonical"},
		{"a text with a long head", "text", "780161", "noncanonical"},
		{"an array with a long head", "list:uint", "980101", "noncanonical"},
		{"an indefinite byte string", "bytes", "5f4100ff", "noncanonical"},
		{"an indefinite text", "text", "7f6161ff", "noncanonical"},
		{"an indefinite array", "list:uint", "9f01ff", "noncanonical"},
		{"an indefinite map", "any", "bfff", "noncanonical"},
		{"a reserved head", "uint", "1c", "malformed"},
		{"a reserved array head", "list:uint", "9e", "malformed"},
		{"an empty map", "any", "a0", "malformed"},
		{"a map", "any", "a10102", "malformed"},
		{"a map for a struct", "pair", "a2646e616d656161614e07", "malformed"},
		{"a tag", "any", "c000", "malformed"},
		{"a tagged big number", "uint", "c24101", "malformed"},
		{"a self-describing tag", "uint", "d9d9f700", "malformed"},
		{"a half float", "any", "f93c00", "malformed"},
		{"a single float for an integer", "uint", "fa3f800000", "malformed"},
		{"a double float", "any", "fb3ff0000000000000", "malformed"},
		{"undefined", "any", "f7", "malformed"},
		{"a simple value", "any", "e0", "malformed"},
		{"a two-byte simple value", "any", "f8ff", "malformed"},
		{"a lone break", "any", "ff", "malformed"},
		{"an integer below -2^63", "int", "3b8000000000000000", "malformed"},
		{"an integer below -2^63 for any value", "any", "3b8000000000000000", "malformed"},
		{"an integer from 2^63 on for a signed field", "int", "1b8000000000000000", "malformed"},
		{"a negative integer for an unsigned field", "uint", "20", "malformed"},
		{"256 for a byte", "uint8", "190100", "malformed"},
		{"null for an integer", "uint", "f6", "malformed"},
		{"null for a byte", "uint8", "f6", "malformed"},
		{"null for a bool", "bool", "f6", "malformed"},
		{"null for a byte string", "bytes", "f6", "malformed"},
		{"null for a hash", "bytes32", "f6", "malformed"},
		{"null for a text", "text", "f6", "malformed"},
		{"null for a list", "list:uint", "f6", "malformed"},
		{"null for a struct", "pair", "f6", "malformed"},
		{"null for a field", "pair", "8261" + "61f6", "malformed"},
		{"a bool for an integer", "uint", "f5", "malformed"},
		{"an integer for a bool", "bool", "01", "malformed"},
		{"a text for a byte string", "bytes", "6161", "malformed"},
		{"a byte string for a text", "text", "4161", "malformed"},
		{"a byte string for an integer", "uint", "4101", "malformed"},
		{"a hash of 31 bytes", "bytes32", "581f" + zeros(31), "malformed"},
		{"a hash of 33 bytes", "bytes32", "5821" + zeros(33), "malformed"},
		{"an empty hash", "bytes32", "40", "malformed"},
		{"a hash as an array of numbers", "bytes32", "9820" + zeros(32), "malformed"},
		{"a byte string as an array of numbers", "bytes", "8101", "malformed"},
		{"a list as a byte string", "list:uint", "4101", "malformed"},
		{"text that is not UTF-8", "text", "61ff", "malformed"},
		{"text with a surrogate", "text", "63eda080", "malformed"},
		{"text with an overlong slash", "text", "62c0af", "malformed"},
		{"a struct with a field too few", "pair", "816161", "malformed"},
		{"a struct with a field too many", "pair", "8361610707", "malformed"},
		{"an integer for a struct", "pair", "07", "malformed"},
		{"an optional left out", "optional", "81f6", "malformed"},
		{"false for an absent optional", "optional", "82f4f6", "malformed"},
		{"an optional hash of 31 bytes", "optional", "82" + "581f" + zeros(31) + "f6", "malformed"},
		{"a descending set", "set:bytes32", "82" + h2 + h1, "order"},
		{"a set with a repeated element", "set:bytes32", "82" + h1 + h1, "order"},
		{"a set in text order instead of encoded order", "set:text", "82" + "626161" + "6162", "order"},
		{"9 arrays inside each other", "any", strings.Repeat("81", 8) + "80", "size"},
		{"65,537 elements", "any", "9a00010001", "size"},
		{"2^64-1 elements", "any", "9bffffffffffffffff", "size"},
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
