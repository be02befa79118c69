// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/creachadair/jrpc2"
)

// quickParse reads the usual form of the most frequent body, one tx_submit or an
// array of them without a space or an escape, in one pass; the general decoder takes
// eight. What it takes has the same result; false says nothing about the body.
func quickParse(body []byte) (reqs []*jrpc2.ParsedRequest, batch, ok bool) {
	rest, batch := bytes.CutPrefix(body, []byte("["))
	for {
		q := &jrpc2.ParsedRequest{Method: methodSubmit, Batch: batch}
		if q.ID, q.Params, rest, ok = quickRequest(rest); !ok || len(reqs) == MaxBatch {
			return nil, false, false
		}
		reqs = append(reqs, q)
		switch {
		case !batch:
			return reqs, false, len(rest) == 0
		case string(rest) == "]":
			return reqs, true, true
		case len(rest) == 0 || rest[0] != ',':
			return nil, false, false
		}
		rest = rest[1:]
	}
}

// quickRequest reads one request from the front of b.
func quickRequest(b []byte) (id string, params json.RawMessage, rest []byte, ok bool) {
	if b, ok = bytes.CutPrefix(b, []byte(`{"jsonrpc":"2.0","id":`)); !ok {
		return
	}
	n := span(b, digit)
	if n == 0 || n > 15 || n > 1 && b[0] == '0' {
		return "", nil, nil, false
	}
	id = string(b[:n])
	if b, ok = bytes.CutPrefix(b[n:], []byte(`,"method":"tx_submit","params":`)); !ok {
		return
	}
	params = b
	if b, ok = bytes.CutPrefix(b, []byte(`{"bytes":"`)); !ok {
		return
	}
	b = b[span(b, base64Text):]
	if after, found := bytes.CutPrefix(b, []byte(`","wait":"`)); found {
		b = after[span(after, base64Text):]
	}
	if rest, ok = bytes.CutPrefix(b, []byte(`"}}`)); !ok {
		return
	}
	return id, params[:len(params)-len(rest)-1], rest, true
}

// Classes of characters that stand for themselves in JSON.
const (
	digit = 1 << iota
	base64Text
)

var classes = func() (t [256]byte) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9':
			t[c] = digit | base64Text
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '+', c == '/', c == '=':
			t[c] = base64Text
		}
	}
	return t
}()

// span counts the characters of a class at the front of b.
func span(b []byte, class byte) int {
	for i, c := range b {
		if classes[c]&class == 0 {
			return i
		}
	}
	return len(b)
}

// writeAnswers writes the answers of a batch, or of one request alone, as writeJSON
// would. A result is JSON already and is copied.
func writeAnswers(w http.ResponseWriter, list []response, batch bool) {
	size := 2
	for i := range list {
		size += len(list[i].Result) + 64
	}
	out := make([]byte, 0, size)
	for i := range list {
		if batch && i == 0 {
			out = append(out, '[')
		} else if batch {
			out = append(out, ',')
		}
		r := &list[i]
		if r.Error == nil && len(r.Result) > 0 && span(r.ID, digit) == len(r.ID) {
			out = append(append(out, `{"jsonrpc":"2.0","id":`...), r.ID...)
			out = append(append(out, `,"result":`...), r.Result...)
			out = append(out, '}')
			continue
		}
		b, err := json.Marshal(r)
		if err != nil {
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		out = append(out, b...)
	}
	if batch {
		out = append(out, ']')
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(append(out, '\n'))
}
