// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"strings"
	"testing"
)

func TestShowSaysWhereEachValueComesFrom(t *testing.T) {
	p := write(t, "# a comment with x = y\nlog.level = \"warn\"\n\n[p2p]\nprofile = \"lan\" # near\nbootstrap = [\n  \"/ip4/1.2.3.4/tcp/1/p2p/x\",\n  \"/ip4/1.2.3.5/tcp/1/p2p/x\",\n]\n")
	env := func(k string) (string, bool) { return "7", k == "OPENLEDGER_MEMPOOL_PER_SENDER" }
	list, err := Show(p, env)
	if err != nil || len(list) != len(table) {
		t.Fatalf("%d settings, %v", len(list), err)
	}
	for key, want := range map[string]Setting{
		"p2p.profile":        {Value: "lan", Default: "home", Origin: "file line 5"},
		"p2p.bootstrap":      {Value: "/ip4/1.2.3.4/tcp/1/p2p/x,/ip4/1.2.3.5/tcp/1/p2p/x", Origin: "file line 6"},
		"log.level":          {Value: "warn", Default: "info", Origin: "file line 2"},
		"mempool.per_sender": {Value: "7", Default: "64", Origin: "OPENLEDGER_MEMPOOL_PER_SENDER"},
		"store.archive":      {Value: "false", Default: "false", Origin: "default"},
		"store.cache_mib":    {Value: "96", Default: "96", Origin: "default"},
	} {
		s, err := Explain(list, key)
		if err != nil || s.Value != want.Value || s.Default != want.Default || s.Origin != want.Origin || s.Help == "" {
			t.Errorf("%s: %+v %v", key, s, err)
		}
	}
	if _, err := Explain(list, "p2p.profil"); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), `"p2p.profile"`) {
		t.Errorf("a misspelt key: %v", err)
	}
	if _, err := Show(write(t, "[p2p]\nprofile = 3\n"), env); !errors.Is(err, ErrConfig) {
		t.Errorf("a bad file: %v", err)
	}
}

// TestEveryValuePrintsAndReadsBack sets each key from its own print.
func TestEveryValuePrintsAndReadsBack(t *testing.T) {
	c := Default()
	c.P2P.Bootstrap = []string{"/ip4/1.2.3.4/tcp/1/p2p/x", "y"}
	for _, k := range table {
		again := Default()
		if err := k.set(&again, c.value(k.Name)); err != nil || again.value(k.Name) != c.value(k.Name) {
			t.Errorf("%s: %q gives %q, %v", k.Name, c.value(k.Name), again.value(k.Name), err)
		}
	}
}
