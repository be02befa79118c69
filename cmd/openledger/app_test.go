// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/node/config"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

func TestExitCodes(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	wrap := func(err error) error { return fmt.Errorf("while doing something: %w", err) }
	for _, c := range []struct {
		err  error
		want int
	}{
		{usage("bad"), exitUsage},
		{&exitError{exitNo, errors.New("no")}, exitNo},
		{config.ErrConfig, exitUsage},
		{keystore.ErrExists, exitUsage},
		{keystore.ErrPassphrase, exitLocked},
		{keystore.ErrNotFound, exitNotFound},
		{fixed.ErrAmount, exitUsage},
		{client.ErrUnreachable, exitUnreachable},
		{context.DeadlineExceeded, exitNotFinal},
		{errors.New("anything else"), exitFailure},
		{api.NotFound("x"), exitNotFound},
		{api.BadParams("x", "y"), exitUsage},
		{api.Unauthorized(api.Admin), exitLocked},
		{api.NotFinal("x"), exitNotFinal},
		{api.Ledger("tx_funds", 1105, "x", "y"), exitRefused},
		{api.Service("MODEL_UNAVAILABLE", "x", "y"), exitRefused},
		{api.Busy("x", 0), exitRefused},
		{&api.Error{Code: api.CodeInternal}, exitFailure},
		{&api.Error{Code: api.CodeInvalidParams}, exitUsage},
		{&api.Error{Code: api.CodeSyncing}, exitNotFinal},
	} {
		if got := exitCode(context.Background(), wrap(c.err)); got != c.want {
			t.Errorf("%v gives %d, not %d", c.err, got, c.want)
		}
	}
	if got := exitCode(ended, wrap(context.Canceled)); got != exitInterrupted {
		t.Errorf("an interrupt gives %d", got)
	}
}

// TestTokensStayHome runs a command against a node of someone else.
func TestTokensStayHome(t *testing.T) {
	var seen []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"result":{"items":[]}}`)
	}))
	defer s.Close()
	home := t.TempDir()
	listen := strings.TrimPrefix(s.URL, "http://")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rpc.token", "secret\n")
	for _, c := range []struct{ config, want string }{
		{"", ""}, // the node of this home listens on 9944
		{"[rpc]\nlisten = \"" + listen + "\"\n", "Bearer secret"},
	} {
		seen = nil
		write("config.toml", c.config)
		var stdout, stderr bytes.Buffer
		if code := run([]string{"peers", "--home", home, "--node", s.URL}, strings.NewReader(""), &stdout, &stderr); code != exitOK {
			t.Fatalf("exit %d: %s", code, &stderr)
		}
		if len(seen) != 1 || seen[0] != c.want {
			t.Errorf("config %q: sent %q", c.config, seen)
		}
	}
}

func TestSameEndpoint(t *testing.T) {
	for _, c := range []struct {
		node, listen string
		want         bool
	}{
		{"http://127.0.0.1:9944", "127.0.0.1:9944", true},
		{"http://localhost:9944", "127.0.0.1:9944", true},
		{"http://[::1]:9944", "localhost:9944", true},
		{"http://127.0.0.1:9944", "0.0.0.0:9944", true},
		{"http://192.168.1.7:9944", "192.168.1.7:9944", true},
		{"http://127.0.0.1:9945", "127.0.0.1:9944", false},
		{"http://node.example.org:9944", "127.0.0.1:9944", false},
		{"http://192.168.1.8:9944", "0.0.0.0:9944", false},
		{"http://localhost.example.org:9944", "127.0.0.1:9944", false},
		{"://", "127.0.0.1:9944", false},
	} {
		if got := sameEndpoint(c.node, c.listen); got != c.want {
			t.Errorf("%s and %s: %v", c.node, c.listen, got)
		}
	}
}

// TestTextOfOthersCannotFoolATerminal answers with a peer whose address has an
// escape sequence and marks that turn the direction of writing.
func TestTextOfOthersCannotFoolATerminal(t *testing.T) {
	evil := "\x1b[2J\u202Eevil\u0000\r\u0085ü\n"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text, _ := json.Marshal(evil)
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":{"items":[{"id":"p","addr":%s}]}}`, text)
	}))
	defer s.Close()
	var stdout, stderr bytes.Buffer
	run([]string{"peers", "--home", t.TempDir(), "--node", s.URL}, strings.NewReader(""), &stdout, &stderr)
	if got := stdout.String(); !strings.Contains(got, `\u001b[2J\u202eevil\u0000\u000d\u0085ü`) || strings.ContainsAny(got, "\x1b\u202E\r\x00") {
		t.Errorf("got %q", got)
	}
	s2 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text, _ := json.Marshal(evil)
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":%s,"data":{"code":"X"}}}`, text)
	}))
	defer s2.Close()
	run([]string{"peers", "--home", t.TempDir(), "--node", s2.URL}, strings.NewReader(""), &stdout, &stderr)
	if strings.ContainsAny(stderr.String(), "\x1b\u202E\r\x00") || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("got %q", stderr.String())
	}
}
