// SPDX-License-Identifier: Apache-2.0

package bundle_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/testnet/bundle"
)

func TestABundleIsReadBackAsItWasSaved(t *testing.T) {
	doc := chaintest.New(t, 4, 1).Doc
	b := bundle.New(doc, []string{"/ip4/127.0.0.1/tcp/1/p2p/x"})
	path := filepath.Join(t.TempDir(), "join.json")
	if err := b.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := bundle.Load(path)
	if err != nil || got.ChainID != b.ChainID || len(got.Bootstrap) != 1 || got.Network != doc.Network {
		t.Fatalf("%+v, %v", got, err)
	}
	back, err := got.Doc()
	if err != nil || back.ChainID() != doc.ChainID() {
		t.Fatal(err)
	}
}

func TestAFileThatNoNodeCanJoinWithIsRefused(t *testing.T) {
	doc := chaintest.New(t, 4, 1).Doc
	edit := func(f func(*bundle.Bundle)) []byte {
		b := bundle.New(doc, nil)
		f(&b)
		out, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	tests := map[string][]byte{
		"nothing":               nil,
		"no JSON":               []byte("chain"),
		"an unknown member":     []byte(`{"network":"x","more":1}`),
		"no genesis":            edit(func(b *bundle.Bundle) { b.Genesis = nil }),
		"a damaged genesis":     edit(func(b *bundle.Bundle) { b.Genesis[len(b.Genesis)-1] ^= 1 }),
		"a cut genesis":         edit(func(b *bundle.Bundle) { b.Genesis = b.Genesis[:100] }),
		"the id of another one": edit(func(b *bundle.Bundle) { b.ChainID[0] ^= 1 }),
	}
	for name, raw := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "join.json")
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := bundle.Load(path); !errors.Is(err, bundle.ErrBundle) {
				t.Fatalf("got %v", err)
			}
		})
	}
	if _, err := bundle.Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, bundle.ErrBundle) {
		t.Fatalf("a file that is not there: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	b := bundle.New(chaintest.New(f, 1, 1).Doc, []string{"/ip4/127.0.0.1/tcp/1/p2p/x"})
	raw, err := json.Marshal(b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"network":"local","chain_id":"00","genesis":"","bootstrap":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := bundle.Parse(raw); err != nil && !errors.Is(err, bundle.ErrBundle) {
			t.Fatalf("error without its class: %v", err)
		}
	})
}
