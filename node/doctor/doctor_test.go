// SPDX-License-Identifier: Apache-2.0

package doctor_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openledger/openledger/node/config"
	"github.com/openledger/openledger/node/doctor"
	"github.com/openledger/openledger/rpc/api"
)

func find(t *testing.T, list []api.Check, name string) api.Check {
	t.Helper()
	for _, c := range list {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no check %q in %+v", name, list)
	return api.Check{}
}

func TestAGoodHomeIsWell(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range doctor.Home(home, config.Default()) {
		if c.Status == "fail" {
			t.Errorf("%s: %s", c.Name, c.Value)
		}
		if c.Status == "ok" && c.Fix != "" {
			t.Errorf("%s is well and has the fix %q", c.Name, c.Fix)
		}
	}
}

func TestAHomeThatIsNotThereYetCanBeLookedAt(t *testing.T) {
	list := doctor.Home(filepath.Join(t.TempDir(), "a", "b"), config.Default())
	if c := find(t, list, "disk space"); c.Status != "ok" {
		t.Errorf("%+v", c)
	}
	if c := find(t, list, "key permissions"); c.Status != "ok" {
		t.Errorf("%+v", c)
	}
}

func TestAKeyThatOthersCanReadIsFoundWithTheCommandThatMends(t *testing.T) {
	home := t.TempDir()
	key := filepath.Join(home, "keys", "operator.age")
	if err := os.MkdirAll(filepath.Dir(key), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if c := find(t, doctor.Home(home, config.Default()), "key permissions"); c.Status != "fail" || !strings.Contains(c.Fix, "chmod 600 "+key) {
		t.Fatalf("%+v", c)
	}
}

func TestAPublicRPCIsAWarning(t *testing.T) {
	c := config.Default()
	c.RPC.Public = true
	if got := find(t, doctor.Home(t.TempDir(), c), "rpc exposure"); got.Status != "warn" || got.Fix == "" {
		t.Fatalf("%+v", got)
	}
}

func TestAPortInUseIsAWarning(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if c := doctor.Listen("rpc port", address); c.Status != "warn" {
		t.Errorf("%+v", c)
	}
	l.Close()
	if c := doctor.Listen("rpc port", address); c.Status != "ok" {
		t.Errorf("%+v", c)
	}
}
