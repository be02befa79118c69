// SPDX-License-Identifier: Apache-2.0

package mempool

import "github.com/openledger/openledger/internal/keys"

// Seen reports whether a key is remembered.
func (s *Signers) Seen(pk keys.PublicKey) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	_, ok := s.known[pk]
	return ok
}
