// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/openledger/openledger/ledger/tx"
)

// Hash is 32 bytes, written as 0x and lower-case hex (RPC-02): object ids,
// transaction ids, roots.
type Hash = tx.ID

// ParseHash reads 64 hex digits with or without 0x, as a person types them.
func ParseHash(s string) (Hash, error) {
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if err != nil || len(b) != 32 {
		return Hash{}, fmt.Errorf("%q is not 32 bytes of hex", s)
	}
	return Hash(b), nil
}

// Perm is what a caller must hold to use a method (RPC-08).
type Perm string

// Permissions.
const (
	Read   Perm = "r" // public chain data
	Infer  Perm = "i" // spend from a channel
	Submit Perm = "w" // submit signed bytes
	Sign   Perm = "s" // use this node's disk and keys
	Admin  Perm = "a" // change this node
)

// Page bounds a listing: Limit 1..1,000 (default 100), Cursor as returned.
type Page struct {
	Limit  int    `json:"limit,omitempty"`
	Cursor string `json:"cursor,omitempty"`
}

// Size returns the limit within its bounds.
func (p Page) Size() int {
	if p.Limit <= 0 {
		return 100
	}
	return min(p.Limit, 1_000)
}

// Empty is a method without parameters.
type Empty struct{}

// Examples use accounts that exist on every chain: module accounts.
const (
	exampleAddress = "open1kqt7u08fcyprcqnuq9audfs4ezrys03qgzw3q3ljgy9yukshp5eqhd7zva"
	exampleHash    = "0x" + zeros64
	zeros64        = "0000000000000000000000000000000000000000000000000000000000000000"
)
