// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/rpc/api"
)

const eventBatch = 256

// now returns the cursor of the newest event.
func (s *Server) now(ctx context.Context) (api.Cursor, error) {
	head, err := s.cfg.Backend.ChainHead(ctx, api.Empty{})
	at := api.Cursor{Height: head.Height}
	for err == nil {
		var page api.ChainEvents
		page, err = s.cfg.Events.Events(ctx, api.EventsParams{From: at, Limit: eventBatch})
		at = page.Next
		if len(page.Items) < eventBatch {
			break
		}
	}
	return at, err
}

// follow reads the event log from p.From on, without gap or repeat, and waits
// for more until ctx ends or a function returns an error. idle runs whenever
// nothing came for a while. A reader that cannot keep up slows nobody and costs
// no memory: events stay in the log.
func (s *Server) follow(ctx context.Context, p api.EventsParams, each func(api.Event) error, idle func() error) error {
	p.Limit = eventBatch
	for {
		page, err := s.cfg.Events.Events(ctx, p)
		if err != nil {
			return err
		}
		for _, e := range page.Items {
			if err := each(e); err != nil {
				return err
			}
		}
		p.From = page.Next
		if len(page.Items) == eventBatch {
			continue
		}
		if err := s.await(ctx, p.From, idle); err != nil {
			return err
		}
	}
}

func (s *Server) await(ctx context.Context, at api.Cursor, idle func() error) error {
	for {
		pause, cancel := context.WithTimeout(ctx, s.timing.idle)
		err := s.cfg.Events.Wait(pause, at)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if err := idle(); err != nil {
			return err
		}
	}
}

// serveSSE is the event stream as server-sent events (RPC-07). `id` resumes.
func (s *Server) serveSSE(w http.ResponseWriter, r *http.Request) {
	p, fresh, err := streamParams(r)
	if err == nil && fresh {
		p.From, err = s.now(r.Context())
	}
	if err != nil {
		resp := s.failed(nil, "events", err)
		writeJSON(w, http.StatusBadRequest, resp)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	c := http.NewResponseController(w)
	send := func(format string, args ...any) error {
		_ = c.SetWriteDeadline(time.Now().Add(s.timing.write))
		_, err := fmt.Fprintf(w, format, args...)
		return errors.Join(err, c.Flush())
	}
	if send(": events after %d.%d\n\n", p.From.Height, p.From.Seq) != nil {
		return
	}
	err = s.follow(r.Context(), p, func(e api.Event) error {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		return send("id: %d.%d\nevent: %s\ndata: %s\n\n", e.Height, e.Seq, e.Topic, b)
	}, func() error { return send(": ping\n\n") })
	var known *api.Error
	if errors.As(err, &known) {
		b, _ := json.Marshal(known.Data)
		_ = send("event: error\ndata: %s\n\n", b)
	}
}

// streamParams reads topics, account and cursor of a GET /events. fresh is true
// if there is no cursor. Errors: *api.Error.
func streamParams(r *http.Request) (p api.EventsParams, fresh bool, err error) {
	q := r.URL.Query()
	if t := q.Get("topics"); t != "" {
		p.Topics = strings.Split(t, ",")
	}
	if a := q.Get("account"); a != "" {
		account, err := keys.ParseAddress(a)
		if err != nil {
			return p, false, api.BadParams("account", err.Error())
		}
		p.Account = &account
	}
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = q.Get("from")
	}
	if text == "" {
		return p, true, nil
	}
	p.From, err = parseCursor(text)
	return p, false, err
}

// parseCursor reads HEIGHT.SEQ, as the id of a server-sent event has it.
func parseCursor(text string) (api.Cursor, error) {
	h, q, ok := strings.Cut(text, ".")
	height, err1 := strconv.ParseUint(h, 10, 64)
	seq, err2 := strconv.ParseUint(q, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return api.Cursor{}, api.BadParams("from", fmt.Sprintf("%.40q is not HEIGHT.SEQ", text))
	}
	return api.Cursor{Height: height, Seq: seq}, nil
}
