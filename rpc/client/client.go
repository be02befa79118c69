// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/openledger/openledger/rpc/api"
)

// ErrUnreachable reports that no node answered at the URL.
var ErrUnreachable = errors.New("node not reachable")

const (
	maxAnswer = 64 << 20
	maxBatch  = 100 // requests of one batch (RPC-09)
)

// Client calls one node.
type Client struct {
	url, token string
	http       *http.Client
}

// New makes a client of the node at url ("http://host:port"). token may be empty.
func New(url, token string) *Client {
	return &Client{url: strings.TrimRight(url, "/"), token: token, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}} // the token stays with the node
}

// URL is the node's address.
func (c *Client) URL() string { return c.url }

type answer struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int           `json:"code"`
		Message string        `json:"message"`
		Data    api.ErrorData `json:"data"`
	} `json:"error"`
}

// Call sends one request and decodes its result. Errors: ErrUnreachable,
// *api.Error as the node sent it.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	b, err := c.do(ctx, http.MethodPost, "/rpc", bytes.NewReader(body))
	if err != nil {
		return err
	}
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		return fmt.Errorf("%w at %s: what answers there speaks no JSON-RPC: %v", ErrUnreachable, c.url, err)
	}
	return a.read(c.url, method, result)
}

// read decodes the result. Errors: *api.Error as the node sent it.
func (a *answer) read(url, method string, result any) error {
	if a.Error != nil {
		return &api.Error{Code: a.Error.Code, Message: a.Error.Message, Data: a.Error.Data}
	}
	if err := json.Unmarshal(a.Result, result); err != nil {
		return fmt.Errorf("answer of %s to %s: %w", url, method, err)
	}
	return nil
}

// callAll sends one request of the same method per element of params as one
// batch. Both results have the order of params.
func callAll[P, R any](ctx context.Context, c *Client, method string, params []P) ([]R, []error) {
	out, errs := make([]R, len(params)), make([]error, len(params))
	answers, err := c.batch(ctx, method, len(params), func(i int) any { return params[i] })
	for i := range params {
		if errs[i] = err; err == nil {
			errs[i] = answers[i].read(c.url, method, &out[i])
		}
	}
	return out, errs
}

// batch sends n requests and returns their answers in order. Errors:
// ErrUnreachable.
func (c *Client) batch(ctx context.Context, method string, n int, params func(int) any) ([]answer, error) {
	list := make([]any, n)
	for i := range list {
		list[i] = map[string]any{"jsonrpc": "2.0", "id": i, "method": method, "params": params(i)}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	b, err := c.do(ctx, http.MethodPost, "/rpc", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	var answers []answer
	if err := json.Unmarshal(b, &answers); err != nil || len(answers) != n {
		return nil, fmt.Errorf("%w at %s: the answer to a batch of %d has %d parts: %v", ErrUnreachable, c.url, n, len(answers), err)
	}
	return answers, nil
}

// Upload stores the content of r as a blob of the node and returns its id.
func (c *Client) Upload(ctx context.Context, r io.Reader) (id string, err error) {
	b, err := c.do(ctx, http.MethodPost, "/upload", r)
	if err != nil {
		return "", err
	}
	var out struct {
		ID    string `json:"id"`
		Error *struct {
			Message string        `json:"message"`
			Code    int           `json:"code"`
			Data    api.ErrorData `json:"data"`
		} `json:"error"`
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return "", err
	}
	if out.Error != nil {
		return "", &api.Error{Code: out.Error.Code, Message: out.Error.Message, Data: out.Error.Data}
	}
	return out.ID, nil
}

// Blob reads a whole blob of at most 64 MiB from the node. The caller checks it
// against the id. Download takes larger ones.
func (c *Client) Blob(ctx context.Context, id string) ([]byte, error) {
	return c.do(ctx, http.MethodGet, "/blob/"+id, nil)
}

func (c *Client) request(ctx context.Context, verb, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, verb, c.url+path, body)
	if err == nil && c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return req, err
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w at %s: %v", ErrUnreachable, c.url, err)
}

func (c *Client) do(ctx context.Context, verb, path string, body io.Reader) ([]byte, error) {
	req, err := c.request(ctx, verb, path, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w at %s: %v", ErrUnreachable, c.url, err)
	case len(b) > maxAnswer:
		return nil, fmt.Errorf("answer of %s is larger than %d bytes", c.url, maxAnswer)
	case resp.StatusCode == http.StatusNotFound:
		return nil, api.NotFound(strings.TrimPrefix(path, "/"))
	case resp.StatusCode >= 300 && !bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")):
		return nil, fmt.Errorf("%s answered %s: %s", c.url, resp.Status, bytes.TrimSpace(b))
	}
	return b, nil
}

func call[P, R any](ctx context.Context, c *Client, method string, p P) (R, error) {
	var r R
	err := c.Call(ctx, method, p, &r)
	return r, err
}
