// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/creachadair/jrpc2"

	"github.com/openledger/openledger/rpc/api"
)

type wireError struct {
	Code    int            `json:"code"`
	Message string         `json:"message"`
	Data    *api.ErrorData `json:"data"`
}

type response struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *wireError      `json:"error,omitempty"`
}

// parse splits a body into requests (RPC-01). A missing "jsonrpc" member is read
// as "2.0". An error is about the body as a whole.
func parse(body []byte) (reqs []*jrpc2.ParsedRequest, batch bool, refusal *api.Error) {
	if reqs, batch, ok := quickParse(body); ok {
		return reqs, batch, nil
	}
	return parseAny(body)
}

func parseAny(body []byte) (reqs []*jrpc2.ParsedRequest, batch bool, refusal *api.Error) {
	body = bytes.TrimSpace(body)
	if !json.Valid(body) || tooDeep(body) {
		return nil, false, protocolError(api.CodeParse, "PARSE_ERROR", fmt.Sprintf("the body is not JSON of at most %d levels", MaxDepth))
	}
	batch = body[0] == '['
	if !batch {
		body = withVersion(body)
	} else {
		var list []json.RawMessage
		if err := json.Unmarshal(body, &list); err != nil || len(list) == 0 {
			return nil, batch, protocolError(api.CodeInvalidRequest, "INVALID_REQUEST", "the batch is empty")
		}
		if len(list) > MaxBatch {
			return nil, batch, api.Limit(fmt.Sprintf("%d requests in one batch, at most %d", len(list), MaxBatch), 0)
		}
		if slices.ContainsFunc(list, func(raw json.RawMessage) bool { return !versioned(raw) }) {
			for i, raw := range list {
				list[i] = withVersion(raw)
			}
			joined, err := json.Marshal(list)
			if err != nil {
				return nil, batch, protocolError(api.CodeParse, "PARSE_ERROR", "the batch is malformed")
			}
			body = joined
		}
	}
	reqs, err := jrpc2.ParseRequests(body)
	if err != nil || len(reqs) == 0 {
		return nil, batch, protocolError(api.CodeInvalidRequest, "INVALID_REQUEST", "a request is a JSON object, or an array of them")
	}
	return reqs, batch, nil
}

// tooDeep reports whether valid JSON nests deeper than MaxDepth.
func tooDeep(body []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// versioned reports whether raw is a request that begins with its version, as most
// do.
func versioned(raw []byte) bool { return bytes.HasPrefix(raw, []byte(`{"jsonrpc":"2.0",`)) }

func withVersion(raw json.RawMessage) json.RawMessage {
	if versioned(raw) {
		return raw
	}
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

// subscriber is what a WebSocket connection adds to a call; nil on HTTP.
type subscriber interface {
	subscribe(ctx context.Context, p api.SubscribeParams) (api.Subscribed, error)
	unsubscribe(p api.UnsubscribeParams) error
}

// answerAll runs requests one after the other. It stays within MaxResponse: what
// does not fit becomes an error of that request.
func (s *Server) answerAll(ctx context.Context, reqs []*jrpc2.ParsedRequest, sub subscriber) []response {
	var out []response
	size := 0
	done := s.submitAll(ctx, reqs)
	for _, q := range reqs {
		resp := s.answer(ctx, q, sub, done[q])
		if resp == nil {
			continue
		}
		if size += len(resp.Result); size > MaxResponse {
			size -= len(resp.Result)
			*resp = failure(resp.ID, api.Limit("the response is too large; ask for less at once", 0))
		}
		out = append(out, *resp)
	}
	return out
}

// refuseAll answers each request that wants an answer with the same error.
func refuseAll(reqs []*jrpc2.ParsedRequest, e *api.Error) []response {
	var out []response
	for _, q := range reqs {
		if q.ID != "" {
			out = append(out, failure(json.RawMessage(q.ID), e))
		}
	}
	return out
}

// methodSubmit is the one method of which a batch is carried out as a unit: the
// signatures of many transactions are checked for less than those of each.
const methodSubmit = "tx_submit"

// submitted is the outcome of one tx_submit of a batch.
type submitted struct {
	status api.TxStatus
	err    error
}

// submitAll runs the tx_submit requests of a batch together, if there are several
// and the caller may.
func (s *Server) submitAll(ctx context.Context, reqs []*jrpc2.ParsedRequest) map[*jrpc2.ParsedRequest]*submitted {
	m := s.methods[methodSubmit]
	if len(reqs) < 2 || !principalOf(ctx).may(m.Perm) {
		return nil
	}
	var list []api.TxSubmitParams
	var from []*jrpc2.ParsedRequest
	for _, q := range reqs {
		if q.Error != nil || q.Method != methodSubmit {
			continue
		}
		if p, err := api.DecodeTxSubmit(q.Params); err == nil { // else its own call says what is wrong
			list, from = append(list, p), append(from, q)
		}
	}
	if len(list) < 2 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, waitOther)
	defer cancel()
	out := make(map[*jrpc2.ParsedRequest]*submitted, len(list))
	status, errs := s.cfg.Backend.TxSubmitAll(ctx, list)
	for i, q := range from {
		out[q] = &submitted{status[i], errs[i]}
	}
	return out
}

// answer runs one request, unless it was run as done says; nil for a notification.
func (s *Server) answer(ctx context.Context, q *jrpc2.ParsedRequest, sub subscriber, done *submitted) *response {
	id := json.RawMessage(q.ID)
	if q.Error != nil {
		resp := failure(id, protocolError(api.CodeInvalidRequest, "INVALID_REQUEST", q.Error.Message))
		return &resp
	}
	if q.Method == "" {
		resp := failure(id, protocolError(api.CodeInvalidRequest, "INVALID_REQUEST", "the request names no method"))
		return &resp
	}
	var result any
	var err error
	if done != nil {
		result, err = done.status, done.err
	} else {
		result, err = s.dispatch(ctx, q, sub)
	}
	if len(id) == 0 {
		return nil
	}
	resp := response{Version: "2.0", ID: id}
	if err == nil {
		resp.Result, err = json.Marshal(result)
	}
	if err != nil {
		resp = s.failed(id, q.Method, err)
	}
	return &resp
}

func (s *Server) dispatch(ctx context.Context, q *jrpc2.ParsedRequest, sub subscriber) (any, error) {
	if q.Method == "rpc.discover" {
		return s.openrpc, nil
	}
	m, ok := s.methods[q.Method]
	if !ok {
		return nil, protocolError(api.CodeNoMethod, "METHOD_NOT_FOUND", fmt.Sprintf("no method %.64q", q.Method))
	}
	if !principalOf(ctx).may(m.Perm) {
		return nil, api.Unauthorized(m.Perm)
	}
	if m.Socket() {
		return s.subscription(ctx, q, sub)
	}
	wait := waitOther
	if m.Perm == api.Read {
		wait = waitRead
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	leave, err := s.enter(ctx, m)
	if err != nil {
		return nil, err
	}
	defer leave()
	return m.Call(ctx, s.cfg.Backend, q.Params)
}

func (s *Server) subscription(ctx context.Context, q *jrpc2.ParsedRequest, sub subscriber) (any, error) {
	if sub == nil {
		return nil, protocolError(api.CodeNoMethod, "METHOD_NOT_FOUND", q.Method+" needs a WebSocket: connect to /ws, or read GET /events")
	}
	if q.Method == api.MethodUnsubscribe {
		p, err := api.DecodeUnsubscribe(q.Params)
		if err != nil {
			return nil, err
		}
		return api.Empty{}, sub.unsubscribe(p)
	}
	p, err := api.DecodeSubscribe(q.Params)
	if err != nil {
		return nil, err
	}
	return sub.subscribe(ctx, p)
}

// enter takes one of the slots for state reads, or waits for one.
func (s *Server) enter(ctx context.Context, m api.Method) (leave func(), err error) {
	slots := s.reads
	switch {
	case m.Heavy:
		slots = s.heavy
	case m.Perm != api.Read:
		return func() {}, nil
	}
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, api.Busy("too many calls at once", 1_000)
	}
}

// failed maps an error to its wire form, in one place; an unknown error keeps its
// text out of the answer and leaves it in the log under the answer's id (RPC-11).
func (s *Server) failed(id json.RawMessage, method string, err error) response {
	var known *api.Error
	switch {
	case errors.As(err, &known):
		return failure(id, known)
	case errors.Is(err, context.DeadlineExceeded):
		if m, ok := s.methods[method]; ok && m.Perm != api.Read {
			return failure(id, api.NotFinal("no answer in time"))
		}
		return failure(id, api.Busy("no answer in time", 1_000))
	case errors.Is(err, context.Canceled):
		return failure(id, api.Busy("the call was given up", 0))
	}
	var ref [4]byte
	_, _ = rand.Read(ref[:]) // never fails
	s.cfg.Log.Error("rpc call failed", "id", hex.EncodeToString(ref[:]), "method", method, "err", err)
	return failure(id, &api.Error{Code: api.CodeInternal, Message: "internal error " + hex.EncodeToString(ref[:]),
		Data: api.ErrorData{Code: "INTERNAL", Hint: "the node's log has the cause under this id; openledger doctor checks the machine"}})
}

func protocolError(code int, name, message string) *api.Error {
	return &api.Error{Code: code, Message: message, Data: api.ErrorData{Code: name, Hint: "GET /rpc lists the methods with an example of each"}}
}

func failure(id json.RawMessage, e *api.Error) response {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	return response{Version: "2.0", ID: id, Error: &wireError{Code: e.Code, Message: e.Message, Data: &e.Data}}
}
