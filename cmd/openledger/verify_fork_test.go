// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/store"
)

// forkHome makes the home of a stopped node: blocks of the given views, of which
// those in split are signed by signers alone.
func forkHome(t *testing.T, w *chaintest.World, signers []int, leaves bool, views, split []uint64) string {
	t.Helper()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "genesis.cbor"), w.Doc.Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(home, store.Options{CacheMiB: 16})
	if err != nil {
		t.Fatal(err)
	}
	c := w.Open(s)
	for _, part := range [][]uint64{views, split} {
		for _, view := range part {
			b := w.Child(w.Head(c), view)
			if b.Finalization = w.Finalize(b); !leaves {
				b.Leaves = nil
			}
			if _, err := c.Commit(b); err != nil {
				t.Fatal(err)
			}
		}
		w.Signers = signers
	}
	w.Signers = nil
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return home
}

// TestVerifyFork runs the command on homes that agree, that conflict, that hold
// too little, and that are none (CONS-52).
func TestVerifyFork(t *testing.T) {
	w := chaintest.New(t, 4, 1)
	a := forkHome(t, w, []int{0, 1, 2}, true, []uint64{1, 2}, []uint64{3})
	b := forkHome(t, w, []int{0, 1, 3}, true, []uint64{1, 2}, []uint64{4})
	short := forkHome(t, w, nil, true, []uint64{1}, nil)
	bare := forkHome(t, w, []int{0, 1, 3}, false, []uint64{1, 2}, []uint64{4})
	for _, c := range []struct {
		name string
		code int
		args []string
		want string
	}{
		{"two sides of a fork", exitNo, []string{a, b}, "guilty in epoch 0: power 2 of 4"},
		{"the same the other way round", exitNo, []string{b, a}, "NullifyFinalize in view 3"},
		{"a chain and its beginning", exitOK, []string{a, short}, "no fork: the chains agree up to height 1"},
		{"no justification kept", exitNotFound, []string{a, bare}, "fork at height 3"},
		{"no home", exitUsage, []string{a, t.TempDir()}, ""},
		{"one home", exitUsage, []string{a}, ""},
	} {
		var stdout, stderr bytes.Buffer
		code := run(append([]string{"verify", "fork"}, c.args...), strings.NewReader(""), &stdout, &stderr)
		if code != c.code || !strings.Contains(stdout.String(), c.want) {
			t.Errorf("%s: exit %d, want %d\n%s%s", c.name, code, c.code, stdout.String(), stderr.String())
		}
	}
	var stdout, stderr bytes.Buffer
	if code := run([]string{"verify", "fork", a, b, "--output", "json"}, strings.NewReader(""), &stdout, &stderr); code != exitNo {
		t.Fatalf("exit %d: %s", code, stderr.String())
	}
	var got forked
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if !got.Fork || got.Height != 3 || got.Power != 2 || got.Faulty != 1 || len(got.Guilty) != 2 || len(got.Evidence) == 0 {
		t.Errorf("%+v", got)
	}
	// Anybody can check what the command prints.
	for _, text := range got.Evidence {
		raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
		if err != nil {
			t.Fatal(err)
		}
		e, err := evidence.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := evidence.Check(w.Set, w.ID, e); err != nil {
			t.Error(err)
		}
	}
}
