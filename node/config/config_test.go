// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func none(string) (string, bool) { return "", false }

func write(t testing.TB, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDefaultsFileAndEnvironmentMergeInThatOrder(t *testing.T) {
	c, err := Load(filepath.Join(t.TempDir(), "absent.toml"), none)
	if err != nil || !reflect.DeepEqual(c, Default()) {
		t.Fatalf("absent file: %v", err)
	}
	p := write(t, "[rpc]\nlisten = \"127.0.0.1:1\"\n[log]\nlevel = \"warn\"\n")
	env := func(k string) (string, bool) { return "127.0.0.1:2", k == "OPENLEDGER_RPC_LISTEN" }
	c, err = Load(p, env)
	if err != nil || c.RPC.Listen != "127.0.0.1:2" || c.Log.Level != "warn" {
		t.Fatalf("%+v %v", c, err)
	}
}

func TestEncodeThenLoadIsIdentity(t *testing.T) {
	c := Default()
	c.P2P.Bootstrap = []string{"/ip4/127.0.0.1/tcp/1/p2p/x"}
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Load(write(t, string(b)), none)
	if err != nil || !reflect.DeepEqual(got.P2P, c.P2P) || !reflect.DeepEqual(got.RPC.Listen, c.RPC.Listen) {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestBadSettingsNameFileLineAndKey(t *testing.T) {
	for text, want := range map[string]string{
		"[rpc]\nlisen = \"x\"\n":             ":2: unknown key \"rpc.lisen\"; nearest is \"rpc.listen\"",
		"[rpc]\nlisten = 3\n":                ":2: column",
		"[rpc\n":                             ":1: column",
		"[rpc]\nlisten = \"0.0.0.0:9944\"\n": "rpc.public",
		"[p2p]\nprofile = \"x\"\n":           "p2p.profile",
		"[work]\nworker = true\n":            "keys new operator",
		"[keys]\nunlock = \"file:\"\n":       "keys.unlock",
		"[store]\ncache_mib = 1\n":           "store.cache_mib",
	} {
		_, err := Load(write(t, text), none)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
	bad := func(k string) (string, bool) { return "many", k == "OPENLEDGER_MEMPOOL_MAX_TXS" }
	if _, err := Load("absent", bad); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "OPENLEDGER_MEMPOOL_MAX_TXS") {
		t.Errorf("environment: %v", err)
	}
}

func TestEveryFieldHasAKey(t *testing.T) {
	n := 0
	v := reflect.TypeOf(Config{})
	for i := range v.NumField() {
		sec := v.Field(i)
		for j := range sec.Type.NumField() {
			name := sec.Tag.Get("toml") + "." + sec.Type.Field(j).Tag.Get("toml")
			if nearest(name) != name {
				t.Errorf("%s is missing from the table", name)
			}
			n++
		}
	}
	if n != len(table) {
		t.Errorf("%d fields, %d keys", n, len(table))
	}
}

func FuzzLoad(f *testing.F) {
	b, _ := Default().Encode()
	f.Add(b)
	f.Add([]byte("[rpc]\nlisten=1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := Default()
		if decode("x", text, &c) == nil {
			_ = c.Check()
		}
	})
}
