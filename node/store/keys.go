// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"slices"
)

// The key table of NODE-04. Integers are big endian, so that keys sort by height.
const (
	prefixBody    = "b/" // height u64 → body
	prefixHeader  = "c/" // height u64 → header and certificate
	prefixJust    = "j/" // height u64 → justification leaves, if they were at hand
	prefixReceipt = "r/" // height u64 ‖ part u32 → receipts in order, each behind its length
	prefixTx      = "t/" // transaction id → height u64 ‖ index u32
	prefixState   = "s/" // state key → flat value
	prefixNode    = "n/" // tree node key → tree node
	prefixStale   = "x/" // height u64 ‖ part u32 → keys of stale tree nodes
	keyHead       = "m/head"
	keyFloor      = "m/floor"
	keyBase       = "m/base"
	keyOldest     = "m/oldest"
	keyFormat     = "m/version"
)

func heightKey(prefix string, h uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(prefix), h)
}

// partKey is that of one of several records of a kind that a height has.
func partKey(prefix string, h uint64, part uint32) []byte {
	return binary.BigEndian.AppendUint32(heightKey(prefix, h), part)
}

// heightIn is the height in a key that starts as those of heightKey.
func heightIn(key []byte) uint64 { return binary.BigEndian.Uint64(key[2:10]) }

// txPlaceBytes is the length of a value under prefixTx.
const txPlaceBytes = 12

func prefixed(prefix string, key []byte) []byte {
	return slices.Concat([]byte(prefix), key)
}

// timeOf is the engine time of a height. Time 1 is before genesis.
func timeOf(height uint64) uint64 { return height + 2 }

// heightOf is the height of a time.
func heightOf(ts uint64) uint64 { return ts - 2 }

// beforeGenesis is the time of what is written when a store is created.
const beforeGenesis = 1
