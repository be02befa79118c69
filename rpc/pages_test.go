// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/rpc/api"
)

func TestHealthAndReadiness(t *testing.T) {
	var ready error
	s, b := newServer(t, func(c *Config, _ *fakeBackend) { c.Ready = func() error { return ready } })
	for _, path := range []string{"/healthz", "/readyz"} {
		if w := s.do(request("GET", path, "", nil)); w.Code != http.StatusOK || w.Body.String() != "ok\n" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	ready = errors.New("12 heights behind")
	if w := s.do(request("GET", "/readyz", "", nil)); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "12 heights behind") {
		t.Errorf("a node that lags: %d %s", w.Code, w.Body)
	}
	if w := s.do(request("GET", "/healthz", "", nil)); w.Code != http.StatusOK {
		t.Errorf("a node that lags is healthy: %d", w.Code)
	}
	_ = b
	ctx, cancel := contextWithTimeout(t, 0)
	defer cancel()
	if w := s.do(request("GET", "/healthz", "", nil).WithContext(ctx)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a node that does not answer: %d", w.Code)
	}
}

func TestHelpListsEveryMethodWithAnExample(t *testing.T) {
	s, _ := newServer(t, nil)
	page := s.do(request("GET", "/rpc", "", nil)).Body.String()
	for _, m := range api.Methods() {
		if !strings.Contains(page, "\n"+m.Name+" ("+string(m.Perm)+")  "+m.Summary) {
			t.Errorf("%s is missing", m.Name)
		}
		if m.Socket() {
			continue
		}
		_, rest, ok := strings.Cut(page, "\n"+m.Name+" (")
		_, rest, ok2 := strings.Cut(rest, "  curl localhost:9944/rpc -d '")
		body, _, ok3 := strings.Cut(rest, "'\n")
		if !ok || !ok2 || !ok3 || !json.Valid([]byte(body)) {
			t.Errorf("%s: the example %q is no JSON", m.Name, body)
			continue
		}
		reqs, _, refusal := parse([]byte(body))
		if refusal != nil || reqs[0].Method != m.Name {
			t.Errorf("%s: the example calls something else: %s", m.Name, body)
		}
	}
}

func TestTheSchemaIsTheSameEverywhere(t *testing.T) {
	s, _ := newServer(t, nil)
	w := s.do(request("GET", "/openrpc.json", "", nil))
	a := one(t, s.do(request("POST", "/rpc", `{"id":1,"method":"rpc.discover"}`, nil)))
	if !bytes.Equal(bytes.TrimSpace(w.Body.Bytes()), a.Result) || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("rpc.discover and /openrpc.json differ")
	}
}

func TestUnknownPathsAndVerbs(t *testing.T) {
	s, _ := newServer(t, nil)
	for _, c := range []struct {
		verb, path string
		code       int
	}{{"GET", "/", 405}, {"GET", "/nope", 404}, {"PUT", "/rpc", 405}, {"DELETE", "/upload", 405}, {"POST", "/blob/x", 405}} {
		if w := s.do(request(c.verb, c.path, "", nil)); w.Code != c.code {
			t.Errorf("%s %s: %d", c.verb, c.path, w.Code)
		}
	}
}

// zeros is a reader of n bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestUploads(t *testing.T) {
	s, _ := newServer(t, func(c *Config, _ *fakeBackend) { c.Blobs = &fakeBlobs{} })
	if s.maxUpload != MaxUpload {
		t.Fatalf("uploads of at most %d bytes, want %d", s.maxUpload, int64(MaxUpload))
	}
	s.maxUpload = 1 << 20
	send := func(n int64, from func(*http.Request)) (int, string) {
		w := s.do(request("POST", "/upload", "", func(r *http.Request) {
			r.Body = io.NopCloser(zeros(n))
			from(r)
		}))
		return w.Code, w.Body.String()
	}
	if code, body := send(s.maxUpload, withToken); code != http.StatusOK || strings.TrimSpace(body) != `{"bytes":1048576,"id":"id"}` {
		t.Errorf("an upload of the limit: %d %s", code, body)
	}
	if code, body := send(s.maxUpload+1, withToken); code != http.StatusRequestEntityTooLarge || !strings.Contains(body, "LIMIT") {
		t.Errorf("an upload above the limit: %d %s", code, body)
	}
	for name, from := range map[string]func(*http.Request){"this machine": func(*http.Request) {}, "elsewhere": remote} {
		if code, body := send(1, from); code != http.StatusUnauthorized || !strings.Contains(body, "UNAUTHORIZED") {
			t.Errorf("an upload from %s without the token: %d %s", name, code, body)
		}
	}
}

func TestBlobsAreNamedByContentOnly(t *testing.T) {
	blobs := &fakeBlobs{}
	s, _ := newServer(t, func(c *Config, _ *fakeBackend) { c.Blobs = blobs })
	id := content.Sum([]byte("x")).String()
	if w := s.do(request("GET", "/blob/"+id, "", nil)); w.Code != http.StatusOK || len(blobs.served) != 1 || blobs.served[0] != id {
		t.Errorf("got %d, served %v", w.Code, blobs.served)
	}
	for _, path := range []string{"/blob/..%2Frpc.token", "/blob/%2e%2e%2frpc.token", "/blob/../rpc.token", "/blob/" + id + "/x", "/blob/x",
		"/blob/" + strings.ToUpper(id), "/blob/", "/blob/%00", "/blob/" + id + "%00"} {
		w := s.do(request("GET", path, "", nil))
		if w.Code < 300 || len(blobs.served) != 1 {
			t.Errorf("%s: %d, served %v", path, w.Code, blobs.served)
		}
	}
}
