// SPDX-License-Identifier: Apache-2.0

package mempool

import (
	"sync"

	"github.com/openledger/openledger/internal/keys"
)

// maxSigners bounds the expanded keys, 13 KiB each, and the keys seen once.
const maxSigners = 4_096

// Signers expands the keys of who signs more than once, and is safe for
// concurrent use. When it is full, a new key takes the place of any other. The zero
// value is empty.
type Signers struct {
	lock  sync.Mutex
	known map[keys.PublicKey]*keys.Expanded // nil: seen once
}

// Expanded implements tx.Keys: it returns the expanded form of a key at its second
// sight, and nil at its first, so that one who comes once costs nothing.
func (s *Signers) Expanded(pk keys.PublicKey) *keys.Expanded {
	s.lock.Lock()
	k, seen := s.known[pk]
	if !seen {
		s.put(pk, nil)
	}
	s.lock.Unlock()
	if k != nil || !seen {
		return k
	}
	k = pk.Expand()
	s.lock.Lock()
	s.put(pk, k)
	s.lock.Unlock()
	return k
}

// put keeps a key; the lock is held.
func (s *Signers) put(pk keys.PublicKey, k *keys.Expanded) {
	if s.known == nil {
		s.known = map[keys.PublicKey]*keys.Expanded{}
	}
	if _, there := s.known[pk]; !there && len(s.known) >= maxSigners {
		for other := range s.known {
			delete(s.known, other)
			break
		}
	}
	s.known[pk] = k
}
