// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openledger/openledger/rpc/api"
)

// events opens an event stream and returns its lines.
func events(t testing.TB, ctx context.Context, s *Server, query, last string) (*bufio.Scanner, func()) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr()+"/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode == http.StatusOK && ct != "text/event-stream" {
		t.Errorf("content type %q", ct)
	}
	return bufio.NewScanner(resp.Body), func() { resp.Body.Close() }
}

// nextID reads up to the next event's id.
func nextID(t testing.TB, lines *bufio.Scanner) string {
	t.Helper()
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			return id
		}
	}
	t.Fatalf("the stream ended: %v", lines.Err())
	return ""
}

func TestServerSentEventsResumeByTheirID(t *testing.T) {
	const total = 7 * 300
	s, _ := newServer(t, func(_ *Config, b *fakeBackend) { b.events.list = newFakeEvents(total).list })
	s.Start()
	ctx, cancel := contextWithTimeout(t, 20*time.Second)
	defer cancel()
	rng := rand.New(rand.NewPCG(3, 4))
	last := "0.0"
	for seen := 0; seen < total; {
		lines, done := events(t, ctx, s, "?from=9999.0", last)
		for range rng.IntN(500) + 1 {
			want := eventAt(seen)
			if last = nextID(t, lines); last != fmt.Sprintf("%d.%d", want.Height, want.Seq) {
				t.Fatalf("event %s, not %d.%d", last, want.Height, want.Seq)
			}
			if seen++; seen == total {
				break
			}
		}
		done()
	}
}

func TestServerSentEvents(t *testing.T) {
	s, b := newServer(t, func(_ *Config, b *fakeBackend) { b.events.list = newFakeEvents(14).list })
	s.timing.idle = 5 * time.Millisecond
	s.Start()
	ctx, cancel := contextWithTimeout(t, 20*time.Second)
	defer cancel()
	lines, done := events(t, ctx, s, "?topics=head", "")
	defer done()
	for _, want := range []string{": events after 2.6", "", ": ping"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("got %q, not %q", lines.Text(), want)
		}
	}
	b.events.commit()
	if id := nextID(t, lines); id != "3.0" {
		t.Errorf("the first event from now on is %s", id)
	}
	for _, want := range []string{"event: head", `data: {"height":3,"seq":0,"topic":"head","name":""}`, ""} {
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("got %q, not %q", lines.Text(), want)
		}
	}
	old, done2 := events(t, ctx, s, "?from=1.5&topics=tx", "")
	defer done2()
	if id := nextID(t, old); id != "1.6" {
		t.Errorf("after 1.5 comes %s", id)
	}
	closing, cancelClose := context.WithTimeout(ctx, 5*time.Second)
	defer cancelClose()
	if err := s.Close(closing); err != nil {
		t.Errorf("Close waits for an event stream: %v", err)
	}
	for lines.Scan() {
	}
}

func TestBadEventStreams(t *testing.T) {
	s, b := newServer(t, nil)
	for _, query := range []string{"?from=1", "?from=1.x", "?from=-1.0", "?from=1.0.0", "?account=open1", "?from=18446744073709551616.0"} {
		w := s.do(request("GET", "/events"+query, "", nil))
		if a := one(t, w); w.Code != http.StatusBadRequest || a.Error == nil || a.Error.Data.Code != "BAD_PARAMS" {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
	b.events.fail = &api.Error{Code: api.CodePruned, Message: "gone", Data: api.ErrorData{Code: "PRUNED"}}
	if body := s.do(request("GET", "/events?from=1.0", "", nil)).Body.String(); !strings.Contains(body, "event: error\ndata: {\"code\":\"PRUNED\"") {
		t.Errorf("a stream that fails: %s", body)
	}
}
