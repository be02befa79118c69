// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/openledger/openledger/rpc/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "olt1.test.secret"

var errSecret = errors.New("the password is hunter2")

// fakeBackend answers a few methods; the rest are nil and would panic.
type fakeBackend struct {
	api.Backend
	events *fakeEvents

	mu    sync.Mutex
	calls []string
	hold  chan struct{} // chain_supply and tx_get wait for it, if set
	large int           // bytes of the answer of chain_genesis
}

func (f *fakeBackend) saw(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, name)
}

func (f *fakeBackend) NodeStatus(context.Context, api.Empty) (api.NodeStatus, error) {
	f.saw("node_status")
	return api.NodeStatus{State: "observing", Height: 7, Addrs: []string{}, GPU: []api.Card{}, Warnings: []string{}}, nil
}

func (f *fakeBackend) ChainHead(ctx context.Context, _ api.Empty) (api.ChainHead, error) {
	return api.ChainHead{Height: f.events.head()}, ctx.Err()
}

func (f *fakeBackend) ChainHeader(_ context.Context, p api.HeightParams) (api.ChainHeader, error) {
	switch p.Height {
	case 404:
		return api.ChainHeader{}, api.NotFound("height 404")
	case 500:
		return api.ChainHeader{}, errSecret
	}
	return api.ChainHeader{Height: p.Height}, nil
}

func (f *fakeBackend) ChainEvents(ctx context.Context, p api.EventsParams) (api.ChainEvents, error) {
	return f.events.Events(ctx, p)
}

func (f *fakeBackend) ChainGenesis(context.Context, api.Empty) (api.ChainGenesis, error) {
	return api.ChainGenesis{JSON: strings.Repeat("x", f.large)}, nil
}

func (f *fakeBackend) wait(ctx context.Context) error {
	if f.hold == nil {
		return nil
	}
	select {
	case <-f.hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fakeBackend) ChainSupply(ctx context.Context, _ api.Empty) (api.ChainSupply, error) {
	f.saw("chain_supply")
	return api.ChainSupply{}, f.wait(ctx)
}

func (f *fakeBackend) TxGet(ctx context.Context, _ api.TxGetParams) (api.TxStatus, error) {
	f.saw("tx_get")
	return api.TxStatus{}, f.wait(ctx)
}

func (f *fakeBackend) TxSubmitAll(ctx context.Context, list []api.TxSubmitParams) ([]api.TxStatus, []error) {
	out, errs := make([]api.TxStatus, len(list)), make([]error, len(list))
	for i, p := range list {
		out[i], errs[i] = f.TxSubmit(ctx, p)
	}
	return out, errs
}

func (f *fakeBackend) TxSubmit(context.Context, api.TxSubmitParams) (api.TxStatus, error) {
	f.saw("tx_submit")
	return api.TxStatus{Status: "pending"}, nil
}

func (f *fakeBackend) NodeDoctor(context.Context, api.Empty) (api.NodeDoctor, error) {
	f.saw("node_doctor")
	return api.NodeDoctor{Checks: []api.Check{}}, nil
}

func (f *fakeBackend) DatasetList(_ context.Context, p api.DatasetListParams) (r api.List[recordDataset], err error) {
	f.saw("dataset_list")
	if p.Limit != 3 || p.Cursor != "abc" || p.Owner != nil {
		return r, api.BadParams("limit", "not what the test sent")
	}
	return r, nil
}

// newServer starts a server on a free port and closes it with the test.
func newServer(t testing.TB, change func(*Config, *fakeBackend)) (*Server, *fakeBackend) {
	t.Helper()
	b := &fakeBackend{events: newFakeEvents(0)}
	cfg := Config{Listen: "127.0.0.1:0", Backend: b, Events: b.events, Token: token}
	if change != nil {
		change(&cfg, b)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return s, b
}

// answer is a decoded response.
type answer struct {
	Version string          `json:"jsonrpc"`
	ID      any             `json:"id"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Code    int           `json:"code"`
		Message string        `json:"message"`
		Data    api.ErrorData `json:"data"`
	} `json:"error"`
}

func (a answer) code() int {
	if a.Error == nil {
		return 0
	}
	return a.Error.Code
}

// request makes a call from this machine; change may make it another one.
func request(method, path, body string, change func(*http.Request)) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host, r.RemoteAddr = "localhost:9944", "127.0.0.1:5000"
	if change != nil {
		change(r)
	}
	return r
}

func (s *Server) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(w, r)
	return w
}

func one(t *testing.T, w *httptest.ResponseRecorder) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%d %q: %v", w.Code, w.Body, err)
	}
	return a
}

func remote(r *http.Request)    { r.RemoteAddr = "203.0.113.9:4000" }
func withToken(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }

// fakeEvents is an event log in memory.
type fakeEvents struct {
	mu   sync.Mutex
	list []api.Event
	news chan struct{}
	fail error
}

// newFakeEvents holds n events, 7 of each height from 1 on.
func newFakeEvents(n int) *fakeEvents {
	f := &fakeEvents{news: make(chan struct{})}
	for i := range n {
		f.list = append(f.list, eventAt(i))
	}
	return f
}

func eventAt(i int) api.Event {
	e := api.Event{Height: uint64(i/7 + 1), Seq: uint64(i % 7), Topic: "tx"}
	if e.Seq == 0 {
		e.Topic = "head"
	}
	return e
}

func (f *fakeEvents) head() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) == 0 {
		return 0
	}
	return f.list[len(f.list)-1].Height
}

// commit adds the next whole height.
func (f *fakeEvents) commit() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range 7 {
		f.list = append(f.list, eventAt(len(f.list)))
	}
	close(f.news)
	f.news = make(chan struct{})
}

func (f *fakeEvents) Events(_ context.Context, p api.EventsParams) (api.ChainEvents, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := api.ChainEvents{Items: []api.Event{}, Next: p.From}
	after := func(i int) bool {
		e := f.list[i]
		return e.Height > p.From.Height || (e.Height == p.From.Height && e.Seq > p.From.Seq)
	}
	for _, e := range f.list[sort.Search(len(f.list), after):] {
		out.Next = api.Cursor{Height: e.Height, Seq: e.Seq}
		if len(p.Topics) > 0 && e.Topic != p.Topics[0] {
			continue
		}
		if out.Items = append(out.Items, e); len(out.Items) == p.Limit {
			break
		}
	}
	return out, f.fail
}

func (f *fakeEvents) Wait(ctx context.Context, after api.Cursor) error {
	for {
		f.mu.Lock()
		news := f.news
		f.mu.Unlock()
		if f.head() > after.Height {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fakeBlobs keeps uploads in memory.
type fakeBlobs struct{ served []string }

func (b *fakeBlobs) PutBlob(_ context.Context, r *http.Request) (string, int64, error) {
	n, err := io.Copy(io.Discard, r.Body)
	return "id", n, err
}

func (b *fakeBlobs) ServeBlob(w http.ResponseWriter, _ *http.Request, id string) {
	b.served = append(b.served, id)
	_, _ = io.WriteString(w, "content")
}
