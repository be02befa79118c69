// SPDX-License-Identifier: Apache-2.0

package publish_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
)

var (
	chainID = [32]byte{1}
	key     = keys.FromSeed([32]byte{2})
	owner   = keys.SingleAuth(key.Public()).Address()
)

func prepare(t testing.TB, csv string) publish.Manifest {
	t.Helper()
	m, err := publish.Prepare("rows.csv", []byte(csv), publish.Input{Name: "rows", Source: "me", Terms: tx.ID{3}, Owner: owner})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAManifestSaysWhatTheFileHolds(t *testing.T) {
	csv := "a,b,label\n1,2,0\n3,4,1\n"
	m := prepare(t, csv)
	if m.Rows != 2 || m.Features != 2 || m.Bytes != uint64(len(csv)) || m.Content != content.Sum([]byte(csv)) {
		t.Fatalf("%+v", m)
	}
	again, err := publish.Decode(m.Encode())
	if err != nil || again != m || !again.CID().Matches(m.Encode()) {
		t.Fatalf("%+v, %v", again, err)
	}
	up := m.Upload(tx.ID{4}, 5)
	if up.Manifest != m.CID() || up.RowRoot != m.RowRoot || up.Rows != 2 || up.Stake != 5 {
		t.Fatalf("%+v", up)
	}
	tab, err := publish.Load(m.Content, m.RowRoot, []byte(csv))
	if err != nil || tab.Rows != 2 {
		t.Fatalf("%+v, %v", tab, err)
	}
}

func TestAFileThatCannotBeADatasetIsRefusedByLine(t *testing.T) {
	for name, csv := range map[string]string{
		"a cell above 255":  "1,2,0\n1,256,0\n",
		"a fraction":        "1,2,0\n1,0.5,0\n",
		"a row too short":   "1,2,0\n1,0\n",
		"a word":            "1,2,0\n1,x,0\n",
		"a negative number": "1,2,0\n1,-1,0\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := publish.Prepare("rows.csv", []byte(csv), publish.Input{})
			var at *table.Error
			if !errors.As(err, &at) || !strings.Contains(err.Error(), "rows.csv:2") {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestContentThatIsNotTheDatasetIsRefused(t *testing.T) {
	m := prepare(t, "1,2,0\n")
	for name, c := range map[string]struct {
		cid  content.ID
		root tx.ID
		csv  string
	}{
		"other bytes":         {m.Content, m.RowRoot, "1,2,1\n"},
		"other rows":          {content.Sum([]byte("1,2,1\n")), m.RowRoot, "1,2,1\n"},
		"bytes that no table": {content.Sum([]byte("\x00")), m.RowRoot, "\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := publish.Load(c.cid, c.root, []byte(c.csv)); err == nil {
				t.Fatal("taken")
			}
		})
	}
}

func TestAnAnnouncementIsSignedByItsKeyForItsChain(t *testing.T) {
	m := prepare(t, "1,2,0\n").Encode()
	good := publish.Announce(chainID, publish.KindDataset, tx.ID{9}, m, []string{"/ip4/127.0.0.1/tcp/1/p2p/x"}, key)
	got, err := publish.DecodeAnnouncement(chainID, good.Encode())
	if err != nil || got.Owner() != owner || !bytes.Equal(got.Manifest, m) {
		t.Fatalf("%+v, %v", got, err)
	}
	hint := good
	hint.TimeMS, hint.Providers = 77, nil // hints, set by whoever sends it on
	if _, err := publish.DecodeAnnouncement(chainID, hint.Encode()); err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(a *publish.Announcement){
		"another object":          func(a *publish.Announcement) { a.ID[0] ^= 1 },
		"another kind":            func(a *publish.Announcement) { a.Kind, a.Manifest = publish.KindModel, nil },
		"an unknown kind":         func(a *publish.Announcement) { a.Kind = 3 },
		"a manifest of a model":   func(a *publish.Announcement) { a.Kind = publish.KindModel },
		"another manifest":        func(a *publish.Announcement) { a.Manifest = prepareBytes(t) },
		"no manifest":             func(a *publish.Announcement) { a.Manifest = nil },
		"another key":             func(a *publish.Announcement) { a.Key[0] ^= 1 },
		"a forged signature":      func(a *publish.Announcement) { a.Sig[0] ^= 1 },
		"nine providers":          func(a *publish.Announcement) { a.Providers = make([]string, 9) },
		"a provider of 300 bytes": func(a *publish.Announcement) { a.Providers = []string{strings.Repeat("x", 300)} },
		"a manifest of 20 KiB":    func(a *publish.Announcement) { a.Manifest = make([]byte, 20<<10) },
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			a := good
			edit(&a)
			if _, err := publish.DecodeAnnouncement(chainID, a.Encode()); !errors.Is(err, publish.ErrManifest) {
				t.Fatalf("got %v", err)
			}
		})
	}
	if _, err := publish.DecodeAnnouncement([32]byte{7}, good.Encode()); !errors.Is(err, publish.ErrManifest) {
		t.Fatalf("on another chain: %v", err)
	}
}

func prepareBytes(t testing.TB) []byte { m := prepare(t, "7,7,7\n"); return m.Encode() }

func FuzzDecodeAnnouncement(f *testing.F) {
	m := prepare(f, "1,2,0\n")
	f.Add(publish.Announce(chainID, publish.KindDataset, tx.ID{9}, m.Encode(), []string{"/ip4/127.0.0.1/tcp/1/p2p/x"}, key).Encode())
	f.Add(publish.Announce(chainID, publish.KindModel, tx.ID{9}, nil, nil, key).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := publish.DecodeAnnouncement(chainID, b)
		if err != nil {
			if !errors.Is(err, publish.ErrManifest) {
				t.Fatalf("error without its class: %v", err)
			}
			return
		}
		if !bytes.Equal(a.Encode(), b) {
			t.Fatal("two encodings of one announcement")
		}
	})
}

func FuzzDecode(f *testing.F) {
	m := prepare(f, "1,2,0\n")
	f.Add(m.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := publish.Decode(b)
		if err != nil {
			if !errors.Is(err, publish.ErrManifest) {
				t.Fatalf("error without its class: %v", err)
			}
			return
		}
		if !bytes.Equal(m.Encode(), b) {
			t.Fatal("two encodings of one manifest")
		}
	})
}
