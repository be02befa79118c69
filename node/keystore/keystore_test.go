// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/keys"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "keys"), 4)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testKey() keys.PrivateKey { return keys.FromSeed([32]byte{1, 2, 3}) }

func TestAKeyComesBackOnlyWithItsPassphrase(t *testing.T) {
	s := open(t)
	e, err := s.Create("alice", testKey(), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := s.Load("alice", []byte("secret"))
	if err != nil || k.Seed() != testKey().Seed() {
		t.Fatalf("load: %v", err)
	}
	if _, err := s.Load("alice", []byte("wrong")); !errors.Is(err, ErrPassphrase) {
		t.Fatalf("wrong passphrase: %v", err)
	}
	list, err := s.List()
	if err != nil || len(list) != 1 || list[0] != e {
		t.Fatalf("list %v %v", list, err)
	}
}

func TestNothingOnDiskOrInTextShowsTheSeed(t *testing.T) {
	s := open(t)
	if _, err := s.Create("alice", testKey(), []byte("secret")); err != nil {
		t.Fatal(err)
	}
	seed := testKey().Seed()
	files, _ := filepath.Glob(filepath.Join(s.dir, "*"))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		if bytes.Contains(b, seed[:]) || strings.Contains(string(b), hex.EncodeToString(seed[:])) {
			t.Errorf("%s shows the seed", f)
		}
	}
	if strings.Contains(testKey().String(), "010203") {
		t.Error("String shows the seed")
	}
	if fi, _ := os.Stat(s.path("alice", ".age")); fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", fi.Mode())
	}
}

func TestRefusals(t *testing.T) {
	s := open(t)
	if _, err := s.Create("alice", testKey(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create("alice", testKey(), []byte("x")); !errors.Is(err, ErrExists) {
		t.Errorf("second create: %v", err)
	}
	for _, name := range []string{"", "../x", "A", "a/b", strings.Repeat("a", 33)} {
		if _, err := s.Create(name, testKey(), []byte("x")); !errors.Is(err, ErrName) {
			t.Errorf("name %q: %v", name, err)
		}
		if _, err := s.Load(name, []byte("x")); !errors.Is(err, ErrName) {
			t.Errorf("load %q: %v", name, err)
		}
	}
	if _, err := s.Load("bob", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing: %v", err)
	}
	for _, damage := range []string{"", "age-encryption.org/v1\n", strings.Repeat("x", maxKeyFile+1)} {
		if err := os.WriteFile(s.path("alice", ".age"), []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load("alice", []byte("x")); !errors.Is(err, ErrDamaged) {
			t.Errorf("damage %.20q: %v", damage, err)
		}
	}
}

// SLIP-0010 test vector 1 for ed25519, chain m/0'/1'.
func TestSLIP10Vector(t *testing.T) {
	seed, _ := hex.DecodeString("000102030405060708090a0b0c0d0e0f")
	k := slip10(seed, []uint32{0, 1})
	want := "b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2"
	if hex.EncodeToString(k[:]) != want {
		t.Fatalf("got %x", k)
	}
}

func TestMnemonicDerivesTheSameKeyAndRefusesTypos(t *testing.T) {
	words, err := NewMnemonic(bytes.NewReader(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	a, err := Derive(words, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Derive("  "+strings.ReplaceAll(words, " ", "\n "), 0)
	if err != nil || a.Seed() != b.Seed() {
		t.Fatalf("white space changed the key: %v", err)
	}
	if c, _ := Derive(words, 1); c.Seed() == a.Seed() {
		t.Fatal("index ignored")
	}
	typo := strings.TrimSuffix(words, strings.Fields(words)[23]) + "zoo"
	for _, bad := range []string{"", "abandon", typo} {
		if _, err := Derive(bad, 0); !errors.Is(err, ErrMnemonic) {
			t.Errorf("%.30q: %v", bad, err)
		}
	}
}

func TestP2PSeedPersistsAndRefusesDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p2p.key")
	a, err := P2PSeed(path)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := P2PSeed(path); err != nil || a != b {
		t.Fatalf("second read: %v", err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := P2PSeed(path); !errors.Is(err, ErrDamaged) {
		t.Fatalf("damage: %v", err)
	}
}
