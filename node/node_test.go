// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/node/config"
)

// local is a configuration of a follower on a one-validator network.
func local(t *testing.T, home string) Config {
	t.Helper()
	vote := keys.FromSeed([32]byte{1})
	account := keys.SingleAuth(keys.FromSeed([32]byte{2}).Public()).Address()
	doc, err := genesis.Local(genesis.LocalConfig{TimeMS: 1_700_000_000_000,
		Validators: []genesis.Member{genesis.Validator(account, vote, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.P2P.Listen, c.P2P.Profile, c.RPC.Listen = []string{"/ip4/127.0.0.1/tcp/0"}, "lan", "127.0.0.1:0"
	c.Store.CacheMiB = 16
	return Config{Home: home, Settings: c, Genesis: doc}
}

func TestASecondNodeOfAHomeIsRefusedAndNamesTheFirst(t *testing.T) {
	cfg := local(t, t.TempDir())
	first, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg); !errors.Is(err, ErrHomeInUse) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("second node: %v", err)
	}
	if err := first.release(); err != nil {
		t.Fatal(err)
	}
	again, err := New(cfg)
	if err != nil {
		t.Fatalf("after the first has closed: %v", err)
	}
	if err := again.release(); err != nil {
		t.Fatal(err)
	}
}

func TestANodeThatCannotOpenLeavesItsHomeFree(t *testing.T) {
	cfg := local(t, t.TempDir())
	bad := cfg
	bad.Settings.RPC.Listen = "nonsense"
	if _, err := New(bad); err == nil {
		t.Fatal("a bad address was taken")
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.release(); err != nil {
		t.Fatal(err)
	}
}

// TestAVoteKeyOutsideTheSetFollows until the set has it: it is no error.
func TestAVoteKeyOutsideTheSetFollows(t *testing.T) {
	cfg := local(t, t.TempDir())
	cfg.Validator = keys.FromSeed([32]byte{9})
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n.member.Driver() != nil || n.member.Elected() {
		t.Error("it votes")
	}
	if err := n.release(); err != nil {
		t.Fatal(err)
	}
}
