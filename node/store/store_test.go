// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"
)

func TestSmoke(t *testing.T) {
	s, err := Open(t.TempDir(), Options{CacheMiB: 8})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(Batch{}); err != nil {
		t.Fatal(err)
	}
	t.Log(s.Head())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
