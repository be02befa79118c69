// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Body returns the body of a committed block; the caller owns it.
//
// Errors: ErrNotFound, ErrPruned.
func (s *Store) Body(height uint64) ([]byte, error) {
	return s.ofBlock(height, s.Oldest, heightKey(prefixBody, height))
}

// HeaderCert returns the header and certificate of a committed block; those of
// genesis and of the height below Oldest are kept too.
//
// Errors: ErrNotFound, ErrPruned.
func (s *Store) HeaderCert(height uint64) ([]byte, error) {
	return s.ofBlock(height, func() uint64 {
		if height == 0 {
			return 0
		}
		return max(s.Oldest(), 1) - 1
	}, heightKey(prefixHeader, height))
}

// Justification returns the justification of a committed block. Errors:
// ErrNotFound if it was not at hand, ErrPruned.
func (s *Store) Justification(height uint64) ([]byte, error) {
	return s.ofBlock(height, s.Oldest, heightKey(prefixJust, height))
}

// Receipts returns the receipts of a committed block in order; none is an empty
// list. Errors: ErrNotFound above the head, ErrPruned.
func (s *Store) Receipts(height uint64) ([][]byte, error) {
	h, ok := s.Head()
	if !ok || height > h.Height {
		return nil, fmt.Errorf("receipts of height %d: %w", height, ErrNotFound)
	}
	kvs, err := scan(s.ledger, "", heightKey(prefixReceipt, height), nil, timeOf(h.Height), math.MaxInt)
	if err := s.kept(height, s.Oldest()); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	out := [][]byte{}
	for i, kv := range kvs {
		if n := len(kv.Key); binary.BigEndian.Uint32(kv.Key[n-4:]) != uint32(i) {
			return nil, fmt.Errorf("part %d of the receipts of height %d is missing: %w", i, height, ErrCorrupt)
		}
		if !unpackReceipts(kv.Value, func(r []byte) { out = append(out, r) }) {
			return nil, fmt.Errorf("part %d of the receipts of height %d: %w", i, height, ErrCorrupt)
		}
	}
	return out, nil
}

// partBytes is about the size of a part: below what Badger keeps apart from its
// tree (see profile.options).
const partBytes = 64 << 10

// packReceipts joins receipts into parts of about partBytes, each receipt behind
// its length as a uvarint.
func packReceipts(receipts [][]byte) (parts [][]byte) {
	var part []byte
	for _, r := range receipts {
		if part == nil {
			part = make([]byte, 0, min(partBytes+len(r), len(receipts)*(len(r)+16)))
		}
		part = append(binary.AppendUvarint(part, uint64(len(r))), r...)
		if len(part) >= partBytes {
			parts, part = append(parts, part), nil
		}
	}
	if len(part) > 0 {
		parts = append(parts, part)
	}
	return parts
}

// unpackReceipts visits the receipts of a part; it says false if the part is
// damaged.
func unpackReceipts(part []byte, visit func(r []byte)) bool {
	for len(part) > 0 {
		n, k := binary.Uvarint(part)
		if k <= 0 || n > uint64(len(part)-k) {
			return false
		}
		part = part[k:]
		visit(part[:n:n])
		part = part[n:]
	}
	return true
}

// TxLocation returns where a transaction was included. Errors: ErrNotFound, also
// when its block was given up.
func (s *Store) TxLocation(id [32]byte) (height uint64, index uint32, err error) {
	b, err := s.committed(prefixed(prefixTx, id[:]))
	if err != nil {
		return 0, 0, err
	}
	if len(b) != txPlaceBytes {
		return 0, 0, fmt.Errorf("location of transaction %x: %w", id, ErrCorrupt)
	}
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:]), nil
}

// committed reads a key as of the head.
func (s *Store) committed(key []byte) ([]byte, error) {
	h, ok := s.Head()
	if !ok {
		return nil, fmt.Errorf("before genesis: %w", ErrNotFound)
	}
	return s.ledger.get(key, timeOf(h.Height))
}
