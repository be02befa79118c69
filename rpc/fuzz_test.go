// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/creachadair/jrpc2"

	"github.com/openledger/openledger/rpc/api"
)

// FuzzParse wants every body to give requests or one coded refusal, and each
// request to keep its id.
func FuzzParse(f *testing.F) {
	for _, m := range api.Methods() {
		f.Add([]byte(m.Request()))
	}
	for _, text := range []string{``, `[]`, `[[]]`, `[1]`, `{}`, `null`, `{"id":1}`, `{"jsonrpc":2}`, `[{"method":"x"},{"id":1}]`, `{"id":1,"id":2}`, "\xff"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		reqs, _, refusal := parse(body)
		if (refusal == nil) == (len(reqs) == 0) || len(reqs) > MaxBatch {
			t.Fatalf("%d requests and refusal %v", len(reqs), refusal)
		}
		if refusal != nil && (refusal.Data.Code == "" || refusal.Data.Hint == "") {
			t.Errorf("refusal without code or hint: %+v", refusal)
		}
	})
}

// FuzzRequest runs whole bodies; every answer is well-formed and no method
// fails with INTERNAL on bytes from outside.
func FuzzRequest(f *testing.F) {
	for _, text := range []string{status, `{"id":1,"method":"chain_header","params":[1]}`, `{"id":1,"method":"chain_header","params":{"height":1e3}}`,
		`{"id":1,"method":"tx_submit","params":{"bytes":"AA==","wait":null}}`, `[` + status + `]`, `{"id":1,"method":"dataset_list","params":[3,"abc"]}`} {
		f.Add([]byte(text))
	}
	s, _ := newServer(f, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		reqs, _, _ := parse(body)
		for _, q := range reqs {
			resp := s.answer(withPrincipal(t.Context(), principal{local: true}), &parsed{Method: known(q.Method), Params: q.Params, ID: q.ID, Error: q.Error}, nil, nil)
			if resp != nil && resp.Error != nil && resp.Error.Code == api.CodeInternal {
				t.Errorf("internal error for %s", body)
			}
		}
	})
}

// known maps methods that the fake backend lacks to one that it has.
func known(name string) string {
	switch name {
	case "node_status", "chain_header", "tx_submit", "dataset_list", "tx_get":
		return name
	}
	return "chain_header"
}

// FuzzCursor wants a cursor that is taken to print as it was written, up to
// leading zeros and sign.
func FuzzCursor(f *testing.F) {
	for _, text := range []string{"1.2", "0.0", "1", ".", "01.1", "1.18446744073709551615", "-1.0", "+1.1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(text)
		if err != nil {
			return
		}
		again, err := parseCursor(fmt.Sprintf("%d.%d", c.Height, c.Seq))
		if err != nil || again != c {
			t.Errorf("%q gives %+v and then %+v %v", text, c, again, err)
		}
		if _, _, err := streamParams(&http.Request{Header: http.Header{"Last-Event-Id": {text}}, URL: root}); err != nil {
			t.Errorf("%q as a header: %v", text, err)
		}
	})
}

type parsed = jrpc2.ParsedRequest

var root = &url.URL{Path: "/events"}

func withPrincipal(ctx context.Context, p principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}
