// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/store"
)

func FuzzDecodeHeaderCert(f *testing.F) {
	w := chaintest.New(f, 4, 2)
	b := w.Final(w.Open(store.OpenMemory()), w.Transfer(0, 1, 1))
	f.Add(chain.EncodeHeaderCert(b.Header(), b.Finalization, []header.Header{*b.Header()}))
	f.Add(chain.EncodeHeaderCert(b.Header(), nil, nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, fin, carriers, err := chain.DecodeHeaderCert(raw)
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Fatalf("error without its class: %v", err)
			}
			return
		}
		if !bytes.Equal(chain.EncodeHeaderCert(h, fin, carriers), raw) {
			t.Fatal("two encodings of one header")
		}
	})
}
