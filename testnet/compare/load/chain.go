// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Chain is what the loader needs of a network. Watching calls go to node 0.
type Chain interface {
	// Submit sends transfers to a node in one JSON-RPC batch and counts the
	// refusals by reason. It returns when the node has verified all of them.
	Submit(ctx context.Context, node int, list []Transfer) (refused map[string]int, err error)
	// Height is the newest height that node 0 has executed.
	Height(ctx context.Context) (uint64, error)
	// Block lists the transactions of a height as node 0 has them.
	Block(ctx context.Context, height uint64) ([]ID, error)
	// Key is how Block will name a transfer.
	Key(Transfer) ID
}

// ErrAnswer reports an answer that is no JSON-RPC of the kind asked for.
var ErrAnswer = errors.New("unexpected answer")

// RPC posts JSON-RPC to nodes over kept-alive connections.
type RPC struct{ http *http.Client }

// NewRPC returns a client with room for many connections per node. dial may be nil.
func NewRPC(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *RPC {
	return &RPC{&http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute}}}
}

// Close drops idle connections.
func (r *RPC) Close() { r.http.CloseIdleConnections() }

func (r *RPC) post(ctx context.Context, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// problem is the error member of an answer.
type problem struct {
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// Call sends one request and decodes its result. Errors: ErrAnswer, those of the
// network.
func (r *RPC) Call(ctx context.Context, url, method string, params, result any) error {
	p, err := json.Marshal(params)
	if err != nil {
		return err
	}
	body := append([]byte(`{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`), p...)
	out, err := r.post(ctx, url, append(body, '}'))
	if err != nil {
		return err
	}
	var a struct {
		Result json.RawMessage `json:"result"`
		Error  *problem        `json:"error"`
	}
	if err := json.Unmarshal(out, &a); err != nil || a.Error != nil {
		return fmt.Errorf("%w to %s: %.200s", ErrAnswer, method, out)
	}
	return json.Unmarshal(a.Result, result)
}

// Batch sends one request per transfer, all in one body, with the transfer in
// base64 between before and after, and counts refusals: errors, and results with
// a code other than 0. Errors: ErrAnswer, those of the network.
func (r *RPC) Batch(ctx context.Context, url, before, after string, list []Transfer) (refused map[string]int, err error) {
	body := make([]byte, 0, len(list)*512)
	for i, t := range list {
		sep := byte(',')
		if i == 0 {
			sep = '['
		}
		body = append(body, sep)
		body = append(body, `{"jsonrpc":"2.0","id":`...)
		body = strconv.AppendInt(body, int64(i), 10)
		body = append(body, before...)
		body = base64.StdEncoding.AppendEncode(body, t.Raw)
		body = append(body, after...)
	}
	out, err := r.post(ctx, url, append(body, ']'))
	if err != nil {
		return nil, err
	}
	return refusals(out, len(list))
}

// refusals reads the answer to a batch of n; a batch of one may be answered with
// a bare object.
func refusals(out []byte, n int) (map[string]int, error) {
	type answer struct {
		Result *struct {
			Code int    `json:"code"`
			Log  string `json:"log"`
		} `json:"result"`
		Error *problem `json:"error"`
	}
	out = bytes.TrimSpace(out)
	if len(out) > 0 && out[0] == '{' {
		out = append(append([]byte{'['}, out...), ']')
	}
	var list []answer
	if err := json.Unmarshal(out, &list); err != nil || len(list) != n {
		return nil, fmt.Errorf("%w to a batch of %d: %.200s", ErrAnswer, n, out)
	}
	var refused map[string]int
	for _, a := range list {
		why := ""
		switch {
		case a.Error != nil:
			why = fmt.Sprintf("%.60s %.60s", a.Error.Message, a.Error.Data)
		case a.Result == nil:
			why = "no result"
		case a.Result.Code != 0:
			why = fmt.Sprintf("code %d %.60s", a.Result.Code, a.Result.Log)
		default:
			continue
		}
		if refused == nil {
			refused = map[string]int{}
		}
		refused[why]++
	}
	return refused, nil
}
