// SPDX-License-Identifier: Apache-2.0

package mempool_test

import (
	"encoding/binary"
	"testing"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/node/mempool"
)

func TestAKeyIsExpandedAtItsSecondSight(t *testing.T) {
	var s mempool.Signers
	k := keys.FromSeed([32]byte{1})
	if s.Expanded(k.Public()) != nil {
		t.Fatal("expanded for one signature")
	}
	e := s.Expanded(k.Public())
	if e == nil || !e.Verify([]byte("m"), k.Sign([]byte("m"))) || e.Verify([]byte("n"), k.Sign([]byte("m"))) {
		t.Fatal("no expanded key, or not that key")
	}
	if s.Expanded(k.Public()) != e {
		t.Fatal("expanded again")
	}
}

func TestExpandedKeysAreBounded(t *testing.T) {
	var s mempool.Signers
	var pk keys.PublicKey
	for i := range uint64(3 * 4_096) {
		binary.BigEndian.PutUint64(pk[:], i)
		s.Expanded(pk)
	}
	again := 0
	for i := range uint64(3 * 4_096) {
		binary.BigEndian.PutUint64(pk[:], i)
		if s.Seen(pk) {
			again++
		}
	}
	if again != 4_096 {
		t.Fatalf("%d keys are remembered, want 4096", again)
	}
}
