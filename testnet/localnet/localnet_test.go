// SPDX-License-Identifier: Apache-2.0

package localnet_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/node/config"
	"github.com/openledger/openledger/testnet/bundle"
	"github.com/openledger/openledger/testnet/localnet"
)

// create makes a network whose program ends at once.
func create(t *testing.T, dir string, port int) (*localnet.Network, error) {
	t.Helper()
	return localnet.Create(localnet.Options{Dir: dir, Program: "/bin/false", Validators: 3, Workers: 1, BasePort: port,
		Accounts: map[string]fixed.Amount{"alice": 5 * fixed.OPEN}})
}

func TestANetworkHasOneGenesisAndAHomeForEachNode(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	n, err := create(t, dir, 13700)
	if err != nil {
		t.Fatal(err)
	}
	join, err := bundle.Load(n.Join)
	if err != nil || len(join.Bootstrap) != 3 || len(n.Nodes) != 4 {
		t.Fatalf("%d nodes, %v", len(n.Nodes), err)
	}
	for i, m := range n.Nodes {
		raw, err := os.ReadFile(filepath.Join(m.Home, "genesis.cbor"))
		if err != nil || string(raw) != string(join.Genesis) {
			t.Fatalf("%s: %v", m.Name, err)
		}
		c, err := config.Load(filepath.Join(m.Home, "config.toml"), func(string) (string, bool) { return "", false })
		if err != nil || (c.Keys.Validator != "") != (i < 3) || c.Work.Worker != (i == 3) {
			t.Fatalf("%s: %+v, %v", m.Name, c, err)
		}
		if info, err := os.Stat(filepath.Join(m.Home, "keys")); err != nil || info.Mode().Perm() != 0o700 {
			t.Fatalf("%s: keys folder %v, %v", m.Name, info, err)
		}
	}
	for _, name := range []string{"dev", "alice"} {
		if _, err := n.ClientKey(name); err != nil {
			t.Errorf("key of %s: %v", name, err)
		}
	}
	again, err := localnet.Open(dir)
	if err != nil || len(again.Nodes) != 4 || again.Nodes[2].Account != n.Nodes[2].Account {
		t.Fatalf("found again as %+v, %v", again, err)
	}
}

func TestWhatCannotBecomeANetworkIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	if _, err := localnet.Open(dir); !errors.Is(err, localnet.ErrMissing) {
		t.Fatalf("opened nothing: %v", err)
	}
	if _, err := create(t, dir, 13710); err != nil {
		t.Fatal(err)
	}
	if _, err := create(t, dir, 13720); !errors.Is(err, localnet.ErrExists) {
		t.Fatalf("made twice: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:13731")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := create(t, filepath.Join(t.TempDir(), "other"), 13730); !errors.Is(err, localnet.ErrPort) {
		t.Fatalf("a port that is in use: %v", err)
	}
}

// TestANodeThatEndsIsNamedWithItsLastWords starts a program that does not run.
func TestANodeThatEndsIsNamedWithItsLastWords(t *testing.T) {
	n, err := create(t, filepath.Join(t.TempDir(), "net"), 13740)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.Nodes[0].Log(), []byte("the disk is full\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = n.Start(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "validator0") || !strings.Contains(err.Error(), "the disk is full") {
		t.Fatalf("got %v", err)
	}
	if err := n.Down(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Find("nobody"); !errors.Is(err, localnet.ErrNode) {
		t.Fatalf("found nobody: %v", err)
	}
	if m, err := n.Find("1"); err != nil || m.Name != "validator1" {
		t.Fatalf("number 1 is %v, %v", m, err)
	}
}
