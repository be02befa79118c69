// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/creachadair/jrpc2"

	"github.com/openledger/openledger/rpc/api"
)

type wireError struct {
	Code    int            `json:"code"`
	Message string         `json:"message"`
	Data    *api.ErrorData `json:"data,omitempty"`
}

type response struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   *wireError      `json:"error,omitempty"`
}

// serveRPC answers one request or a batch (RPC-01). Any content type will do,
// and a missing "jsonrpc" member is read as "2.0".
func (s *Server) serveRPC(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		writeJSON(w, http.StatusRequestEntityTooLarge, failure(nil, api.Limit("request body too large", 0)))
		return
	}
	reqs, batch, err := parse(body)
	if err != nil {
		writeJSON(w, http.StatusOK, response{Version: "2.0", ID: json.RawMessage("null"), Error: &wireError{Code: -32700, Message: "parse error: " + err.Error()}})
		return
	}
	if len(reqs) > MaxBatch {
		writeJSON(w, http.StatusOK, failure(nil, api.Limit("batch too large", 0)))
		return
	}
	var out []response
	for _, q := range reqs {
		if resp := s.answer(r.Context(), q); resp != nil {
			out = append(out, *resp)
		}
	}
	switch {
	case len(out) == 0:
		w.WriteHeader(http.StatusNoContent)
	case batch:
		writeJSON(w, http.StatusOK, out)
	default:
		writeJSON(w, http.StatusOK, out[0])
	}
}

// parse fills in missing "jsonrpc" members and splits the body.
func parse(body []byte) (reqs []*jrpc2.ParsedRequest, batch bool, err error) {
	trimmed := bytes.TrimSpace(body)
	batch = len(trimmed) > 0 && trimmed[0] == '['
	var list []json.RawMessage
	if batch {
		if err := json.Unmarshal(trimmed, &list); err != nil {
			return nil, batch, err
		}
	} else {
		list = []json.RawMessage{trimmed}
	}
	for _, raw := range list {
		one, err := jrpc2.ParseRequests(withVersion(raw))
		if err != nil {
			return nil, batch, err
		}
		reqs = append(reqs, one...)
	}
	if len(reqs) == 0 {
		return nil, batch, errors.New("empty request")
	}
	return reqs, batch, nil
}

func withVersion(raw json.RawMessage) json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil || m == nil {
		return raw
	}
	if _, ok := m["jsonrpc"]; ok {
		return raw
	}
	m["jsonrpc"] = json.RawMessage(`"2.0"`)
	out, err := json.Marshal(m)
	if err != nil {
		return raw
	}
	return out
}

// answer runs one request; nil for a notification.
func (s *Server) answer(ctx context.Context, q *jrpc2.ParsedRequest) *response {
	id := json.RawMessage(q.ID)
	if q.Error != nil {
		return &response{Version: "2.0", ID: orNull(id), Error: &wireError{Code: int(q.Error.Code), Message: q.Error.Message}}
	}
	result, err := s.dispatch(ctx, q.Method, q.ToRequest())
	if len(id) == 0 {
		return nil
	}
	if err != nil {
		resp := s.failed(id, q.Method, err)
		return &resp
	}
	return &response{Version: "2.0", ID: id, Result: result}
}

func (s *Server) dispatch(ctx context.Context, name string, req *jrpc2.Request) (any, error) {
	if name == "rpc.discover" {
		return api.OpenRPC(), nil
	}
	m, ok := s.methods[name]
	if !ok {
		return nil, jrpc2.Errorf(jrpc2.MethodNotFound, "no method %q; GET /rpc lists them", name)
	}
	if !principalOf(ctx).may(m.Perm) {
		return nil, api.Unauthorized(m.Perm)
	}
	ctx, cancel := context.WithTimeout(ctx, handlerTimeout)
	defer cancel()
	return m.call(ctx, req)
}

// failed maps an error to its wire form; unknown errors keep their text out of
// the answer (RPC-11).
func (s *Server) failed(id json.RawMessage, method string, err error) response {
	var known *api.Error
	var proto *jrpc2.Error
	switch {
	case errors.As(err, &known):
		return failure(id, known)
	case errors.As(err, &proto):
		e := &wireError{Code: int(proto.Code), Message: proto.Message}
		if proto.Code == jrpc2.InvalidParams {
			e.Data = &api.ErrorData{Code: "BAD_PARAMS", Hint: "see GET /rpc for the parameters of " + method}
		}
		return response{Version: "2.0", ID: orNull(id), Error: e}
	case errors.Is(err, context.DeadlineExceeded):
		return failure(id, api.NotFinal("no answer in time"))
	}
	s.cfg.Log.Error("rpc call failed", "method", method, "err", err)
	return failure(id, &api.Error{Code: api.CodeInternal, Message: "internal error",
		Data: api.ErrorData{Code: "INTERNAL", Hint: "the node's log has the cause; openledger doctor checks the machine"}})
}

func failure(id json.RawMessage, e *api.Error) response {
	return response{Version: "2.0", ID: orNull(id), Error: &wireError{Code: e.Code, Message: e.Message, Data: &e.Data}}
}

func orNull(id json.RawMessage) json.RawMessage {
	if len(id) == 0 {
		return json.RawMessage("null")
	}
	return id
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err == nil && len(b) > MaxResponse {
		b, err = json.Marshal(failure(nil, api.Limit("response too large; ask for less", 0)))
	}
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}
