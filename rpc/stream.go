// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/creachadair/jrpc2"

	"github.com/openledger/openledger/rpc/api"
)

const (
	pingEvery  = 20 * time.Second
	eventBatch = 256
	closeSlow  = websocket.StatusCode(4008)
)

// subscribeParams are those of chain_subscribe (RPC-07). From is exclusive;
// absent means from now on.
type subscribeParams struct {
	Topics []string    `json:"topics"`
	From   *api.Cursor `json:"from"`
}

// socket is one WebSocket connection.
type socket struct {
	s       *Server
	conn    *websocket.Conn
	ctx     context.Context
	mu      sync.Mutex
	next    int
	cancels map[string]context.CancelFunc
}

func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // guard has checked the origin
	if err != nil {
		return
	}
	conn.SetReadLimit(MaxBody)
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	s.streams.Add(1)
	defer s.streams.Done()
	k := &socket{s: s, conn: conn, ctx: ctx, cancels: map[string]context.CancelFunc{}}
	go k.watch(cancel)
	k.read()
	_ = conn.CloseNow()
}

// watch pings and ends the connection when the server stops.
func (k *socket) watch(cancel context.CancelFunc) {
	defer cancel()
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-k.s.quit:
			_ = k.conn.Close(websocket.StatusGoingAway, "node stops")
			return
		case <-t.C:
			ctx, done := context.WithTimeout(k.ctx, pingEvery/2)
			err := k.conn.Ping(ctx)
			done()
			if err != nil {
				return
			}
		}
	}
}

func (k *socket) read() {
	for {
		_, msg, err := k.conn.Read(k.ctx)
		if err != nil {
			return
		}
		reqs, batch, err := parse(msg)
		if err != nil || len(reqs) > MaxBatch {
			k.write(failure(nil, api.BadParams("message", "not JSON-RPC 2.0, or too many requests")))
			continue
		}
		var out []response
		for _, q := range reqs {
			if resp := k.answer(q); resp != nil {
				out = append(out, *resp)
			}
		}
		switch {
		case len(out) == 0:
		case batch:
			k.write(out)
		default:
			k.write(out[0])
		}
	}
}

func (k *socket) answer(q *jrpc2.ParsedRequest) *response {
	if q.Error != nil || (q.Method != "chain_subscribe" && q.Method != "chain_unsubscribe") {
		return k.s.answer(k.ctx, q)
	}
	result, err := k.subscription(q.Method, q.ToRequest())
	if err != nil {
		resp := k.s.failed(json.RawMessage(q.ID), q.Method, err)
		return &resp
	}
	return &response{Version: "2.0", ID: orNull(json.RawMessage(q.ID)), Result: result}
}

func (k *socket) subscription(name string, req *jrpc2.Request) (any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if name == "chain_unsubscribe" {
		var p struct {
			Subscription string `json:"subscription"`
		}
		if err := req.UnmarshalParams(&p); err != nil {
			return nil, err
		}
		if cancel := k.cancels[p.Subscription]; cancel != nil {
			cancel()
			delete(k.cancels, p.Subscription)
		}
		return true, nil
	}
	var p subscribeParams
	if req.HasParams() {
		if err := req.UnmarshalParams(jrpc2.StrictFields(&p)); err != nil {
			return nil, err
		}
	}
	if len(k.cancels) >= MaxSubscriptions {
		return nil, api.Limit("too many subscriptions on this connection", 0)
	}
	from, err := k.s.start(k.ctx, p.From)
	if err != nil {
		return nil, err
	}
	k.next++
	id := strconv.Itoa(k.next)
	ctx, cancel := context.WithCancel(k.ctx)
	k.cancels[id] = cancel
	go k.push(ctx, id, p.Topics, from)
	return map[string]any{"subscription": id, "at": from}, nil
}

// start turns an absent cursor into the present end of the event log.
func (s *Server) start(ctx context.Context, from *api.Cursor) (api.Cursor, error) {
	if from != nil {
		return *from, nil
	}
	head, err := s.cfg.Backend.ChainHead(ctx, api.Empty{})
	return api.Cursor{Height: head.Height, Seq: ^uint64(0)}, err
}

func (k *socket) push(ctx context.Context, id string, topics []string, from api.Cursor) {
	err := k.s.follow(ctx, topics, from, func(e api.Event) error {
		return k.writeErr(map[string]any{"jsonrpc": "2.0", "method": "chain_event",
			"params": map[string]any{"subscription": id, "event": e}})
	})
	if err != nil && ctx.Err() == nil {
		_ = k.conn.Close(closeSlow, "SLOW_CONSUMER: resume from the last event's cursor")
	}
}

// follow reads the event log from a cursor, without gap or repeat, and then
// waits for more until ctx or the server ends. A reader that cannot keep up
// slows nobody: events stay in the index.
func (s *Server) follow(ctx context.Context, topics []string, from api.Cursor, each func(api.Event) error) error {
	for ctx.Err() == nil {
		page, err := s.cfg.Events.Events(ctx, api.EventsParams{From: from, Topics: topics, Limit: eventBatch})
		if err != nil {
			return err
		}
		for _, e := range page.Items {
			if err := each(e); err != nil {
				return err
			}
		}
		from = page.Next
		if len(page.Items) == 0 {
			if err := s.cfg.Events.Wait(ctx, from); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (k *socket) write(v any) { _ = k.writeErr(v) }

func (k *socket) writeErr(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(k.ctx, 10*time.Second)
	defer cancel()
	return k.conn.Write(ctx, websocket.MessageText, b)
}

// serveSSE is the same stream as server-sent events; `id` resumes.
func (s *Server) serveSSE(w http.ResponseWriter, r *http.Request) {
	flusher, ok := w.(http.Flusher)
	if !ok {
		http.Error(w, "streaming not supported", http.StatusInternalServerError)
		return
	}
	cursor, err := sseCursor(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	from, err := s.start(r.Context(), cursor)
	if err != nil {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-s.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	var topics []string
	if t := r.URL.Query().Get("topics"); t != "" {
		topics = strings.Split(t, ",")
	}
	w.Header().Set("Content-Type", "text/event-stream")
	flusher.Flush()
	_ = s.follow(ctx, topics, from, func(e api.Event) error {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "id: %d.%d\nevent: %s\ndata: %s\n\n", e.Height, e.Seq, e.Topic, b)
		flusher.Flush()
		return err
	})
}

func sseCursor(r *http.Request) (*api.Cursor, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("from")
	}
	if text == "" {
		return nil, nil
	}
	h, q, ok := strings.Cut(text, ".")
	height, err1 := strconv.ParseUint(h, 10, 64)
	seq, err2 := strconv.ParseUint(q, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return nil, fmt.Errorf("cursor %q is not HEIGHT.SEQ", text)
	}
	return &api.Cursor{Height: height, Seq: seq}, nil
}
