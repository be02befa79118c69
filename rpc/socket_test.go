// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/openledger/openledger/rpc/api"
)

// peer is the client's end of a WebSocket.
type peer struct {
	t    testing.TB
	conn *websocket.Conn
	ctx  context.Context
}

func connect(t testing.TB, s *Server, header http.Header) *peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	conn, _, err := websocket.Dial(ctx, "ws://"+s.Addr()+"/ws", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(-1)
	return &peer{t, conn, ctx}
}

func (p *peer) send(text string) {
	p.t.Helper()
	if err := p.conn.Write(p.ctx, websocket.MessageText, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

// packet is an answer or a notification.
type packet struct {
	answer
	Method string     `json:"method"`
	Params api.Notice `json:"params"`
}

func (p *peer) next() (packet, error) {
	_, b, err := p.conn.Read(p.ctx)
	if err != nil {
		return packet{}, err
	}
	var out packet
	return out, json.Unmarshal(b, &out)
}

func (p *peer) must() packet {
	p.t.Helper()
	out, err := p.next()
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// call sends a request and returns its answer, which must come next.
func (p *peer) call(text string) packet {
	p.t.Helper()
	p.send(text)
	return p.must()
}

func TestSocketCalls(t *testing.T) {
	s, _ := newServer(t, nil)
	s.Start()
	p := connect(t, s, nil)
	if a := p.call(status); a.code() != 0 || !strings.Contains(string(a.Result), `"height":7`) {
		t.Errorf("got %+v", a)
	}
	if a := p.call(`{"id":"x","method":"chain_header","params":[404]}`); a.code() != api.CodeNotFound || a.ID != "x" {
		t.Errorf("got %+v", a)
	}
	if a := p.call(`{"id":1`); a.code() != api.CodeParse {
		t.Errorf("half a message: %+v", a)
	}
	p.send("[" + status + "," + status + "]")
	_, b, err := p.conn.Read(p.ctx)
	var list []answer
	if err != nil || json.Unmarshal(b, &list) != nil || len(list) != 2 {
		t.Errorf("a batch: %s %v", b, err)
	}
	p.send(`{"method":"node_status"}`)
	if a := p.call(`{"id":9,"method":"node_doctor"}`); a.code() != api.CodeUnauthorized || a.ID != 9.0 {
		t.Errorf("after a notification, without the token: %+v", a)
	}
	q := connect(t, s, http.Header{"Authorization": {"Bearer " + token}})
	if a := q.call(`{"id":9,"method":"node_doctor"}`); a.code() != 0 {
		t.Errorf("with the token: %+v", a)
	}
}

func TestSocketMessageLimit(t *testing.T) {
	s, _ := newServer(t, nil)
	s.Start()
	p := connect(t, s, nil)
	if a := p.call(status + strings.Repeat(" ", MaxBody-len(status))); a.code() != 0 {
		t.Errorf("a message of the limit: %+v", a)
	}
	p.send(status + strings.Repeat(" ", MaxBody-len(status)+1))
	if _, err := p.next(); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("a message above the limit: %v", err)
	}
}

func TestSocketOriginIsChecked(t *testing.T) {
	s, _ := newServer(t, nil)
	s.Start()
	_, resp, err := websocket.Dial(t.Context(), "ws://"+s.Addr()+"/ws", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://evil.example.org"}}})
	if err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign page could connect: %v", err)
	}
}

func TestAnAnswerInWorkDoesNotBlockOthers(t *testing.T) {
	s, b := newServer(t, func(_ *Config, b *fakeBackend) { b.hold = make(chan struct{}) })
	s.timing.ping = 40 * time.Millisecond // a reader that waits for the call would miss the pongs
	s.Start()
	p := connect(t, s, nil)
	p.send(`{"id":"slow","method":"tx_get","params":["0x` + strings.Repeat("0", 64) + `"]}`)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range 50 {
		if a := p.call(status); a.ID != 1.0 {
			t.Fatalf("got %+v", a)
		}
		<-tick.C
	}
	for range maxInFlight - 1 {
		p.send(`{"id":"slow","method":"tx_get","params":["0x` + strings.Repeat("0", 64) + `"]}`)
	}
	waitFor(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return strings.Count(fmt.Sprint(b.calls), "tx_get") == maxInFlight
	})
	if a := p.call(status); a.code() != api.CodeBusy {
		t.Errorf("one more message than may be in flight: %+v", a)
	}
	close(b.hold)
	for range maxInFlight {
		if a := p.must(); a.ID != "slow" || a.code() != 0 {
			t.Errorf("got %+v", a)
		}
	}
}

func TestSocketRateLimit(t *testing.T) {
	s, _ := newServer(t, nil)
	s.clock = func() time.Time { return time.Unix(1_000, 0) }
	s.Start()
	p := connect(t, s, http.Header{"X-Forwarded-For": {"203.0.113.9"}})
	for range rateBurst - 1 { // connecting took one
		if a := p.call(status); a.code() != 0 {
			t.Fatalf("got %+v", a)
		}
	}
	if a := p.call(status); a.code() != api.CodeLimit || a.Error.Data.RetryAfterMS == 0 {
		t.Errorf("a call above the burst: %+v", a)
	}
}

// TestResumeWithoutGapOrRepeat reads 10,000 events over WebSocket connections
// that are cut at random places.
func TestResumeWithoutGapOrRepeat(t *testing.T) {
	const total = 10_000
	s, b := newServer(t, nil)
	s.Start()
	grow := make(chan struct{})
	go func() { // the chain goes on meanwhile
		defer close(grow)
		for b.events.head() < total/7 {
			b.events.commit()
		}
	}()
	rng := rand.New(rand.NewPCG(1, 2))
	cursor, seen, cuts := api.Cursor{}, 0, 0
	for seen < total/7*7-1 {
		p := connect(t, s, nil)
		at, _ := json.Marshal(cursor)
		sub := p.call(`{"id":1,"method":"chain_subscribe","params":{"from":` + string(at) + `}}`)
		if sub.code() != 0 || !strings.Contains(string(sub.Result), `"at":`+string(at)) {
			t.Fatalf("subscribe: %+v", sub)
		}
		for range rng.IntN(2_000) + 1 {
			e := p.must().Params.Event
			want := eventAt(seen + 1) // event 0.. of height 1 is the cursor {1,0} at first
			if cursor == (api.Cursor{}) {
				want = eventAt(0)
				seen--
			}
			if e == nil || e.Height != want.Height || e.Seq != want.Seq {
				t.Fatalf("event after %d cuts is %+v, not %+v", cuts, e, want)
			}
			cursor = api.Cursor{Height: e.Height, Seq: e.Seq}
			if seen++; seen >= total/7*7-1 {
				break
			}
		}
		_ = p.conn.CloseNow()
		cuts++
	}
	<-grow
	if cuts < 5 {
		t.Errorf("only %d cuts", cuts)
	}
}

func TestSubscriptions(t *testing.T) {
	s, b := newServer(t, func(_ *Config, b *fakeBackend) { b.events.list = newFakeEvents(70).list })
	s.Start()
	p := connect(t, s, nil)
	a := p.call(`{"id":1,"method":"chain_subscribe","params":[["head"]]}`)
	if string(a.Result) != `{"subscription":"1","at":{"height":10,"seq":6}}` {
		t.Fatalf("got %s", a.Result)
	}
	b.events.commit()
	n := p.must()
	if n.Method != "chain_event" || n.Params.Subscription != "1" || n.Params.Event == nil || n.Params.Event.Height != 11 || n.Params.Event.Topic != "head" {
		t.Errorf("got %+v", n)
	}
	if a := p.call(`{"id":1,"method":"chain_subscribe","params":{"topic":["head"]}}`); a.code() != api.CodeInvalidParams {
		t.Errorf("an unknown parameter: %+v", a)
	}
	if a := p.call(`{"id":2,"method":"chain_unsubscribe","params":["1"]}`); a.code() != 0 || string(a.Result) != "{}" {
		t.Errorf("got %+v", a)
	}
	if a := p.call(`{"id":2,"method":"chain_unsubscribe","params":["1"]}`); a.code() != api.CodeNotFound {
		t.Errorf("ending it twice: %+v", a)
	}
	b.events.commit()
	for i := range MaxSubscriptions {
		if a := p.call(`{"id":3,"method":"chain_subscribe"}`); a.code() != 0 {
			t.Fatalf("subscription %d: %+v", i+1, a.Error)
		}
	}
	if a := p.call(`{"id":3,"method":"chain_subscribe"}`); a.code() != api.CodeLimit {
		t.Errorf("one more subscription: %+v", a)
	}
	if a := p.call(`{"id":4,"method":"chain_unsubscribe","params":["7"]}`); a.code() != 0 {
		t.Errorf("got %+v", a)
	}
	if a := p.call(`{"id":3,"method":"chain_subscribe"}`); a.code() != 0 {
		t.Errorf("a subscription in the place of another: %+v", a)
	}
}

// A height may have more events than one page.
func TestFullPagesAreFollowedByTheRest(t *testing.T) {
	const many = 3*eventBatch + 5
	s, b := newServer(t, nil)
	for i := range many {
		b.events.list = append(b.events.list, api.Event{Height: 1, Seq: uint64(i), Topic: "tx"})
	}
	s.Start()
	p := connect(t, s, nil)
	p.call(`{"id":1,"method":"chain_subscribe","params":{"from":{"height":0,"seq":0}}}`)
	for i := range many {
		if e := p.must().Params.Event; e == nil || e.Seq != uint64(i) {
			t.Fatalf("event %d is %+v", i, e)
		}
	}
	if a := p.call(`{"id":2,"method":"chain_subscribe"}`); !strings.Contains(string(a.Result), fmt.Sprintf(`"at":{"height":1,"seq":%d}`, many-1)) {
		t.Errorf("from now on begins at %s", a.Result)
	}
}

// TestTheAnswerComesBeforeTheFirstEvent wants subscribe to leave the stream for
// begin, which runs after the answer is sent.
func TestTheAnswerComesBeforeTheFirstEvent(t *testing.T) {
	s, b := newServer(t, nil)
	b.events.fail = errSecret // a stream that runs ends at once and removes itself
	k := &socket{s: s, subs: map[string]context.CancelFunc{}}
	k.ctx, k.cancel = context.WithCancel(t.Context())
	k.cancel()
	m := &message{socket: k}
	if _, err := m.subscribe(t.Context(), api.SubscribeParams{From: &api.Cursor{Height: 1}}); err != nil {
		t.Fatal(err)
	}
	k.working.Wait()
	if len(m.started) != 1 || len(k.subs) != 1 {
		t.Errorf("the stream has begun: %d waiting, %d subscriptions", len(m.started), len(k.subs))
	}
	m.begin()
	k.working.Wait()
	if len(k.subs) != 0 {
		t.Error("the stream did not run")
	}
}

func TestASubscriptionThatFailsSaysSo(t *testing.T) {
	s, b := newServer(t, nil)
	b.events.fail = &api.Error{Code: api.CodePruned, Message: "height 1 is gone", Data: api.ErrorData{Code: "PRUNED", Hint: "ask an archive"}}
	s.Start()
	p := connect(t, s, nil)
	p.call(`{"id":1,"method":"chain_subscribe","params":{"from":{"height":1,"seq":0}}}`)
	n := p.must()
	if n.Method != "chain_event" || n.Params.Error == nil || n.Params.Error.Code != "PRUNED" || n.Params.Subscription != "1" {
		t.Errorf("got %+v", n)
	}
	if a := p.call(status); a.code() != 0 {
		t.Errorf("the connection is gone: %+v", a)
	}
}

// slow connects by hand, so that nothing is read behind the test's back, and
// subscribes to everything.
func slow(t *testing.T, s *Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	text := `{"id":1,"method":"chain_subscribe","params":{"from":{"height":0,"seq":0}}}`
	frame := append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
	_, err = fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n%s", s.Addr(), frame)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func open(s *Server) int { return len(s.listener.free) - 1 } // one slot waits in Accept

func TestASlowConsumerIsCutAndHoldsUpNobody(t *testing.T) {
	s, b := newServer(t, func(_ *Config, b *fakeBackend) { b.events.list = newFakeEvents(140_000).list })
	s.timing.write = 300 * time.Millisecond
	s.Start()
	c := slow(t, s)
	p := connect(t, s, nil)
	p.call(`{"id":1,"method":"chain_subscribe"}`)
	b.events.commit()
	if n := p.must(); n.Params.Event == nil {
		t.Errorf("another consumer got %+v", n)
	}
	waitFor(t, func() bool { return open(s) == 1 }) // the slow one is gone
	c.Close()
	b.events.commit()
	if n := p.must(); n.Params.Event == nil {
		t.Errorf("another consumer got %+v", n)
	}
}

func TestASluggishConsumerIsToldWhereToResume(t *testing.T) {
	s, b := newServer(t, nil)
	s.timing.slow = 1 // every write takes longer
	b.events.commit()
	s.Start()
	p := connect(t, s, nil)
	p.call(`{"id":1,"method":"chain_subscribe","params":{"from":{"height":1,"seq":2}}}`)
	if n := p.must(); n.Params.Event == nil || n.Params.Event.Seq != 3 {
		t.Errorf("got %+v", n)
	}
	_, err := p.next()
	var ended websocket.CloseError
	if !errors.As(err, &ended) || ended.Code != 4008 || ended.Reason != "SLOW_CONSUMER: resume from 1.3" {
		t.Errorf("ended with %v", err)
	}
}

func TestCloseEndsConnections(t *testing.T) {
	s, b := newServer(t, func(_ *Config, b *fakeBackend) { b.hold = make(chan struct{}) })
	s.Start()
	p, stalled := connect(t, s, nil), slow(t, s)
	silent, err := net.Dial("tcp", s.Addr()) // never sends a request
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	p.call(`{"id":1,"method":"chain_subscribe"}`)
	p.send(`{"id":2,"method":"chain_supply"}`)
	waitFor(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.calls) == 1 })
	held := make(chan error, 1)
	go func() {
		resp, err := http.Post("http://"+s.Addr()+"/rpc", "", strings.NewReader(`{"id":2,"method":"chain_supply"}`))
		if err == nil {
			resp.Body.Close()
		}
		held <- err
	}()
	waitFor(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.calls) == 2 })
	closed := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
		defer cancel()
		closed <- s.Close(ctx)
	}()
	for {
		_, err := p.next()
		if err == nil {
			continue // the answer that was given up
		}
		if websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("ended with %v", err)
		}
		break
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-held; err != nil {
		t.Errorf("the call in flight has no answer: %v", err)
	}
	stalled.Close()
	if w := s.do(request("POST", "/rpc", status, nil)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a request after Close: %d", w.Code)
	}
}
