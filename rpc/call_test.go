// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/rpc/api"
)

type recordDataset = state.Dataset

func TestOneRequest(t *testing.T) {
	s, _ := newServer(t, nil)
	for name, c := range map[string]struct {
		body string
		code int    // 0: a result
		want string // part of the answer
	}{
		"without a jsonrpc member":                {`{"id":1,"method":"node_status"}`, 0, `"height":7`},
		"with a jsonrpc member":                   {`{"jsonrpc":"2.0","id":1,"method":"node_status"}`, 0, `"state":"observing"`},
		"with a text id":                          {`{"id":"a","method":"node_status"}`, 0, `"id":"a"`},
		"with null parameters":                    {`{"id":1,"method":"node_status","params":null}`, 0, `"height":7`},
		"with no positional parameters":           {`{"id":1,"method":"node_status","params":[]}`, 0, `"height":7`},
		"parameters by name":                      {`{"id":1,"method":"chain_header","params":{"height":3}}`, 0, `"height":3`},
		"parameters by position":                  {`{"id":1,"method":"chain_header","params":[4]}`, 0, `"height":4`},
		"optional parameters left out at the end": {`{"id":1,"method":"dataset_list","params":[3,"abc"]}`, 0, `"items"`},
		"space around the body":                   {" \n" + `{"id":1,"method":"node_status"}` + "\n", 0, `"height":7`},
		"a result of the discovery method":        {`{"id":1,"method":"rpc.discover"}`, 0, `"openrpc":"1.3.2"`},

		"an unknown parameter":         {`{"id":1,"method":"chain_header","params":{"height":3,"hight":4}}`, -32602, `hight: is unknown; this method takes height`},
		"a parameter in other letters": {`{"id":1,"method":"chain_header","params":{"Height":3}}`, -32602, `Height: is unknown`},
		"a missing parameter":          {`{"id":1,"method":"chain_header"}`, -32602, `height: is missing`},
		"a parameter that is null":     {`{"id":1,"method":"chain_header","params":{"height":null}}`, -32602, `height: is missing`},
		"a parameter of another type":  {`{"id":1,"method":"chain_header","params":{"height":"3"}}`, -32602, `height: a string does not fit; integer wanted`},
		"a number below zero":          {`{"id":1,"method":"chain_header","params":[-1]}`, -32602, `height`},
		"too many by position":         {`{"id":1,"method":"chain_header","params":[1,2]}`, -32602, `2 positional parameters given, at most 1 taken (height)`},
		"an address that is none":      {`{"id":1,"method":"account_get","params":["x"]}`, -32602, `BAD_PARAMS`},
		"parameters that are a number": {`{"id":1,"method":"node_status","params":3}`, -32600, `INVALID_REQUEST`},
		"an unknown method":            {`{"id":1,"method":"node_stat"}`, -32601, `METHOD_NOT_FOUND`},
		"no method":                    {`{"id":1}`, -32600, `the request names no method`},
		"a method that is a number":    {`{"id":1,"method":2}`, -32600, `INVALID_REQUEST`},
		"another version":              {`{"jsonrpc":"1.0","id":1,"method":"node_status"}`, -32600, `INVALID_REQUEST`},
		"an extra member":              {`{"id":1,"method":"node_status","token":"x"}`, -32600, `INVALID_REQUEST`},
		"an id that is an object":      {`{"id":{},"method":"node_status"}`, -32600, `"id":null`},
		"an empty body":                {``, -32700, `PARSE_ERROR`},
		"half a body":                  {`{"id":1,`, -32700, `PARSE_ERROR`},
		"two bodies":                   {`{"id":1,"method":"node_status"}{}`, -32700, `PARSE_ERROR`},
		"a number":                     {`1`, -32600, `"id":null`},
		"an empty batch":               {`[]`, -32600, `the batch is empty`},
		"a subscription over HTTP":     {`{"id":1,"method":"chain_subscribe"}`, -32601, `needs a WebSocket`},
		"an error that callers know":   {`{"id":1,"method":"chain_header","params":[404]}`, api.CodeNotFound, `"code":"NOT_FOUND"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := s.do(request("POST", "/rpc", c.body, nil))
			a := one(t, w)
			if a.Version != "2.0" || a.code() != c.code || !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("got %s", w.Body)
			}
			if a.Error != nil && (a.Error.Data.Code == "" || a.Error.Data.Hint == "") {
				t.Errorf("error without code or hint: %s", w.Body)
			}
		})
	}
}

func TestNestingIsBounded(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if tooDeep(nested(MaxDepth)) || !tooDeep(nested(MaxDepth+1)) {
		t.Error("the limit is not at MaxDepth")
	}
	if tooDeep([]byte(`{"a":"` + strings.Repeat(`[\"`, 100) + `"}`)) {
		t.Error("brackets in text count")
	}
	s, _ := newServer(t, nil)
	body := `{"id":1,"method":"node_status","params":` + string(nested(MaxDepth)) + `}`
	if a := one(t, s.do(request("POST", "/rpc", body, nil))); a.code() != -32700 {
		t.Errorf("got %+v", a)
	}
}

func TestNotificationsRunWithoutAnAnswer(t *testing.T) {
	s, b := newServer(t, nil)
	w := s.do(request("POST", "/rpc", `{"method":"node_status"}`, nil))
	if w.Code != http.StatusNoContent || w.Body.Len() != 0 || len(b.calls) != 1 {
		t.Errorf("got %d %q, calls %v", w.Code, w.Body, b.calls)
	}
	w = s.do(request("POST", "/rpc", `[{"method":"node_status"},{"id":5,"method":"node_status"}]`, nil))
	var list []answer
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list) != 1 || list[0].ID != 5.0 || len(b.calls) != 3 {
		t.Errorf("got %s, calls %v", w.Body, b.calls)
	}
}

func TestBatches(t *testing.T) {
	s, b := newServer(t, nil)
	batch := func(n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(`{"id":1,"method":"node_status"},`, n), ",") + "]"
	}
	var list []answer
	w := s.do(request("POST", "/rpc", batch(MaxBatch), nil))
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list) != MaxBatch || len(b.calls) != MaxBatch {
		t.Errorf("%d answers of a full batch, %d calls", len(list), len(b.calls))
	}
	if a := one(t, s.do(request("POST", "/rpc", batch(MaxBatch+1), nil))); a.code() != api.CodeLimit || len(b.calls) != MaxBatch {
		t.Errorf("a batch above the limit: %+v, %d calls", a.Error, len(b.calls))
	}
	w = s.do(request("POST", "/rpc", `[1,{"id":2,"method":"node_status"},[],{"id":3,"method":"nope"}]`, nil))
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list) != 4 {
		t.Fatalf("got %s", w.Body)
	}
	for i, code := range []int{-32600, 0, -32600, -32601} {
		if list[i].code() != code {
			t.Errorf("answer %d of a mixed batch is %+v", i, list[i])
		}
	}
}

func TestBodyLimit(t *testing.T) {
	s, _ := newServer(t, nil)
	body := func(n int) string {
		text := `{"id":1,"method":"node_status"}`
		return text + strings.Repeat(" ", n-len(text))
	}
	if a := one(t, s.do(request("POST", "/rpc", body(MaxBody), nil))); a.code() != 0 {
		t.Errorf("a body of the limit: %+v", a.Error)
	}
	w := s.do(request("POST", "/rpc", body(MaxBody+1), nil))
	if a := one(t, w); a.code() != api.CodeLimit || w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body above the limit: %d %+v", w.Code, a.Error)
	}
}

func TestResponseLimit(t *testing.T) {
	empty, err := json.Marshal(api.ChainGenesis{})
	if err != nil {
		t.Fatal(err)
	}
	room := MaxResponse - len(empty)
	s, b := newServer(t, nil)
	b.large = room
	if a := one(t, s.do(request("POST", "/rpc", `{"id":1,"method":"chain_genesis"}`, nil))); a.code() != 0 {
		t.Errorf("a result of the limit: %+v", a.Error)
	}
	b.large = room + 1
	if a := one(t, s.do(request("POST", "/rpc", `{"id":8,"method":"chain_genesis"}`, nil))); a.code() != api.CodeLimit || a.ID != 8.0 {
		t.Errorf("a result above the limit: %+v", a)
	}
	b.large = room / 2
	var list []answer
	w := s.do(request("POST", "/rpc", `[{"id":1,"method":"chain_genesis"},{"id":2,"method":"chain_genesis"},{"id":3,"method":"node_status"}]`, nil))
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list) != 3 || list[0].code() != 0 || list[1].code() != api.CodeLimit || list[2].code() != 0 {
		t.Errorf("a batch shares the limit: %.200s", w.Body)
	}
}

func TestUnknownErrorsKeepTheirText(t *testing.T) {
	var log bytes.Buffer
	s, _ := newServer(t, func(c *Config, _ *fakeBackend) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	w := s.do(request("POST", "/rpc", `{"id":1,"method":"chain_header","params":[500]}`, nil))
	a := one(t, w)
	if a.code() != api.CodeInternal || a.Error.Data.Code != "INTERNAL" || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("got %s", w.Body)
	}
	id := strings.TrimPrefix(a.Error.Message, "internal error ")
	if len(id) != 8 || !strings.Contains(log.String(), id) || !strings.Contains(log.String(), "hunter2") {
		t.Errorf("the log does not have %q: %s", id, &log)
	}
}

func TestHeavyCallsHaveFewSlots(t *testing.T) {
	s, b := newServer(t, func(_ *Config, b *fakeBackend) { b.hold = make(chan struct{}) })
	done := make(chan answer)
	for range MaxHeavy {
		go func() { done <- one(t, s.do(request("POST", "/rpc", `{"id":1,"method":"chain_supply"}`, nil))) }()
	}
	waitFor(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.calls) == MaxHeavy })
	ctx, cancel := contextWithTimeout(t, time.Millisecond)
	defer cancel()
	r := request("POST", "/rpc", `{"id":1,"method":"chain_supply"}`, nil).WithContext(ctx)
	if a := one(t, s.do(r)); a.code() != api.CodeBusy {
		t.Errorf("one more heavy call: %+v", a.Error)
	}
	if a := one(t, s.do(request("POST", "/rpc", `{"id":1,"method":"node_status"}`, nil))); a.code() != 0 {
		t.Errorf("a light call: %+v", a.Error)
	}
	close(b.hold)
	for range MaxHeavy {
		if a := <-done; a.code() != 0 {
			t.Errorf("a heavy call that waited: %+v", a.Error)
		}
	}
}

func TestPermissions(t *testing.T) {
	perms := map[string]api.Perm{"node_status": api.Read, "tx_submit": api.Submit, "node_doctor": api.Admin}
	wrong := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token+"x") }
	proxied := func(r *http.Request) { r.Header.Set("X-Forwarded-For", "203.0.113.9") }
	both := func(r *http.Request) { remote(r); withToken(r) }
	for name, c := range map[string]struct {
		from func(*http.Request)
		may  []api.Perm
	}{
		"this machine without a token":    {nil, []api.Perm{api.Read, api.Submit}},
		"this machine with the token":     {withToken, []api.Perm{api.Read, api.Submit, api.Sign, api.Admin}},
		"this machine with another token": {wrong, []api.Perm{api.Read, api.Submit}},
		"a proxy on this machine":         {proxied, []api.Perm{api.Read}},
		"elsewhere without a token":       {remote, []api.Perm{api.Read}},
		"elsewhere with the token":        {both, []api.Perm{api.Read, api.Submit, api.Sign, api.Admin}},
	} {
		t.Run(name, func(t *testing.T) {
			s, b := newServer(t, nil)
			for method, p := range perms {
				b.calls = nil
				params := map[string]string{"tx_submit": `{"bytes":""}`}[method]
				if params == "" {
					params = `{}`
				}
				body := fmt.Sprintf(`{"id":1,"method":%q,"params":%s}`, method, params)
				a := one(t, s.do(request("POST", "/rpc", body, c.from)))
				ok := slices.Contains(c.may, p)
				if ok != (a.code() == 0) || ok != (len(b.calls) == 1) || (!ok && a.code() != api.CodeUnauthorized) {
					t.Errorf("%s (%s): %+v, calls %v", method, p, a.Error, b.calls)
				}
			}
		})
	}
	if (principal{local: true}).may(api.Sign) || (principal{local: true}).may(api.Admin) || (principal{}).may(api.Submit) || (principal{}).may(api.Infer) {
		t.Error("a caller without the token may too much")
	}
}
