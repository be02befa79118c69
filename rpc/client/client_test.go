// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/openledger/openledger/rpc/api"
)

// server answers every request with text and keeps the last one.
type server struct {
	*httptest.Server
	status  int
	text    string
	request *http.Request
	body    []byte
}

func newServer(t *testing.T) (*server, *Client) {
	s := &server{status: http.StatusOK, text: `{"jsonrpc":"2.0","id":1,"result":{}}`}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.request = r
		s.body, _ = io.ReadAll(r.Body)
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.text)
	}))
	t.Cleanup(s.Close)
	return s, New(s.URL+"/", "secret")
}

// TestEachMethodCallsItsName runs every row of the registry on the client: a
// method that calls another name, or drops its parameters, is seen here.
func TestEachMethodCallsItsName(t *testing.T) {
	s, c := newServer(t)
	for _, m := range api.Methods() {
		if m.Socket() {
			continue
		}
		if _, err := m.Call(t.Context(), c, json.RawMessage(m.Example)); err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		var got struct {
			Method string          `json:"method"`
			Params json.RawMessage `json:"params"`
		}
		if err := json.Unmarshal(s.body, &got); err != nil || got.Method != m.Name {
			t.Errorf("%s sends %s", m.Name, s.body)
		}
		if err := equalJSON(m.Example, string(got.Params)); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}

// equalJSON compares parameters; the client may leave out empty ones and spell
// out null.
func equalJSON(want, got string) error {
	var a, b map[string]any
	if err := errors.Join(json.Unmarshal([]byte(want), &a), json.Unmarshal([]byte(got), &b)); err != nil {
		return err
	}
	for name, v := range a {
		x, _ := json.Marshal(v)
		y, _ := json.Marshal(b[name])
		if len(y) < len(x) {
			return errors.New(name + ": " + string(x) + " was sent as " + string(y))
		}
	}
	return nil
}

func TestRequestsCarryTheTokenInTheirHeader(t *testing.T) {
	s, c := newServer(t)
	if _, err := c.NodeStatus(t.Context(), api.Empty{}); err != nil {
		t.Fatal(err)
	}
	if s.request.URL.String() != "/rpc" || s.request.Header.Get("Authorization") != "Bearer secret" {
		t.Errorf("got %s %v", s.request.URL, s.request.Header)
	}
	if _, err := New(s.URL, "").NodeStatus(t.Context(), api.Empty{}); err != nil || s.request.Header.Get("Authorization") != "" {
		t.Errorf("without a token: %v %v", s.request.Header, err)
	}
}

func TestErrors(t *testing.T) {
	s, c := newServer(t)
	call := func() error { _, err := c.ChainHead(t.Context(), api.Empty{}); return err }
	s.text = `{"jsonrpc":"2.0","id":1,"error":{"code":-32003,"message":"gone","data":{"code":"NOT_FOUND","hint":"wait"}}}`
	var e *api.Error
	if err := call(); !errors.As(err, &e) || e.Code != api.CodeNotFound || e.Message != "gone" || e.Data.Hint != "wait" {
		t.Errorf("an error of the node: %v", err)
	}
	for name, text := range map[string]string{"a web page": "<html>", "another JSON": `[]`, "no result": `{}`, "half an answer": `{"result":{"hei`,
		"another result": `{"result":[1]}`} {
		s.text = text
		if err := call(); err == nil || errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.text, s.status = "teapot", http.StatusTeapot
	if err := call(); err == nil || !strings.Contains(err.Error(), "teapot") {
		t.Errorf("another status: %v", err)
	}
	s.Close()
	if err := call(); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), s.URL) {
		t.Errorf("no node: %v", err)
	}
}

func TestTheCallersDeadlineIsTold(t *testing.T) {
	hold := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))
	defer s.Close()
	defer close(hold)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := New(s.URL, "").ChainHead(ctx, api.Empty{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A node that redirects could send the token to another one.
func TestRedirectsAreNotFollowed(t *testing.T) {
	other, _ := newServer(t)
	s := httptest.NewServer(http.RedirectHandler(other.URL+"/rpc", http.StatusTemporaryRedirect))
	defer s.Close()
	if _, err := New(s.URL, "secret").ChainHead(t.Context(), api.Empty{}); err == nil || other.request != nil {
		t.Errorf("got %v; the other server saw %v", err, other.request)
	}
}

func TestBlobsAndUploads(t *testing.T) {
	s, c := newServer(t)
	s.text = `{"id":"abc","bytes":3}`
	if id, err := c.Upload(t.Context(), strings.NewReader("xyz")); err != nil || id != "abc" || string(s.body) != "xyz" || s.request.URL.Path != "/upload" {
		t.Errorf("got %q %v, sent %q", id, err, s.body)
	}
	s.text, s.status = `{"error":{"code":-32001,"message":"token","data":{"code":"UNAUTHORIZED"}}}`, http.StatusUnauthorized
	var e *api.Error
	if _, err := c.Upload(t.Context(), strings.NewReader("xyz")); !errors.As(err, &e) || e.Code != api.CodeUnauthorized {
		t.Errorf("got %v", err)
	}
	s.text, s.status = "raw", http.StatusOK
	if b, err := c.Blob(t.Context(), "abc"); err != nil || string(b) != "raw" || s.request.URL.Path != "/blob/abc" {
		t.Errorf("got %q %v", b, err)
	}
	s.status = http.StatusNotFound
	if _, err := c.Blob(t.Context(), "abc"); !errors.As(err, &e) || e.Code != api.CodeNotFound {
		t.Errorf("got %v", err)
	}
}
