// SPDX-License-Identifier: Apache-2.0

package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/openledger/openledger/rpc/api"
)

// closeSlow is the close code for a consumer that does not keep up (NODE-10).
const closeSlow = websocket.StatusCode(4008)

// socket is one WebSocket connection. Its goroutines end with its context.
type socket struct {
	s       *Server
	conn    *websocket.Conn
	ctx     context.Context
	cancel  context.CancelFunc
	working sync.WaitGroup
	slots   chan struct{} // one value per message in flight

	mu   sync.Mutex
	next int
	subs map[string]context.CancelFunc
}

func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // guard has checked the origin
	if err != nil {
		return
	}
	conn.SetReadLimit(MaxBody)
	k := &socket{s: s, conn: conn, slots: make(chan struct{}, maxInFlight), subs: map[string]context.CancelFunc{}}
	k.ctx, k.cancel = context.WithCancel(context.WithoutCancel(r.Context())) // watch ends it politely
	k.working.Go(k.watch)
	k.read()
	k.cancel()
	_ = conn.CloseNow()
	k.working.Wait()
}

// watch pings, and ends the connection when the server stops.
func (k *socket) watch() {
	defer k.cancel()
	t := time.NewTicker(k.s.timing.ping)
	defer t.Stop()
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-k.s.stopping.Done():
			k.end(websocket.StatusGoingAway, "the node stops")
			return
		case <-t.C:
			ctx, done := context.WithTimeout(k.ctx, k.s.timing.ping/2)
			err := k.conn.Ping(ctx)
			done()
			if err != nil {
				return
			}
		}
	}
}

// end says goodbye and gives the peer a second to answer.
func (k *socket) end(code websocket.StatusCode, reason string) {
	t := time.AfterFunc(time.Second, k.cancel)
	defer t.Stop()
	_ = k.conn.Close(code, reason)
}

// read takes messages until the connection ends. It never waits for an answer,
// so that pings are seen while a call is running.
func (k *socket) read() {
	p := principalOf(k.ctx)
	for {
		_, msg, err := k.conn.Read(k.ctx)
		if err != nil {
			return
		}
		reqs, batch, refusal := parse(msg)
		if refusal != nil {
			_ = k.write(failure(nil, refusal))
			continue
		}
		if !k.s.limits.allow(p.client, len(reqs), k.s.clock()) {
			k.reply(refuseAll(reqs, api.Limit("too many requests", 1_000)), batch)
			continue
		}
		select {
		case k.slots <- struct{}{}:
		default:
			k.reply(refuseAll(reqs, api.Busy("too many calls at once on this connection", 1_000)), batch)
			continue
		}
		k.working.Go(func() {
			defer func() { <-k.slots }()
			m := &message{socket: k}
			k.reply(k.s.answerAll(k.ctx, reqs, m), batch)
			m.begin()
		})
	}
}

func (k *socket) reply(out []response, batch bool) {
	switch {
	case len(out) == 0:
	case batch:
		_ = k.write(out)
	default:
		_ = k.write(out[0])
	}
}

// write sends one message within the write limit; after that the connection is
// lost. It may be called from many goroutines.
func (k *socket) write(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(k.ctx, k.s.timing.write)
	defer cancel()
	return k.conn.Write(ctx, websocket.MessageText, b)
}

// message is one message in work. Its subscriptions begin after its answer is
// sent, so that a client knows a subscription before its first event.
type message struct {
	*socket
	started []func()
}

func (m *message) begin() {
	for _, f := range m.started {
		m.working.Go(f)
	}
}

// subscribe implements subscriber. Errors: *api.Error of LIMIT.
func (m *message) subscribe(ctx context.Context, p api.SubscribeParams) (api.Subscribed, error) {
	from := api.EventsParams{Topics: p.Topics, Account: p.Account}
	if p.From != nil {
		from.From = *p.From
	} else {
		at, err := m.s.now(ctx)
		if err != nil {
			return api.Subscribed{}, err
		}
		from.From = at
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.subs) >= MaxSubscriptions {
		return api.Subscribed{}, api.Limit(fmt.Sprintf("at most %d subscriptions on a connection", MaxSubscriptions), 0)
	}
	m.next++
	id := strconv.Itoa(m.next)
	sub, cancel := context.WithCancel(m.ctx)
	m.subs[id] = cancel
	k := m.socket
	m.started = append(m.started, func() { k.push(sub, id, from) })
	return api.Subscribed{Subscription: id, At: from.From}, nil
}

// unsubscribe implements subscriber. Errors: *api.Error of NOT_FOUND.
func (m *message) unsubscribe(p api.UnsubscribeParams) error {
	if !m.drop(p.Subscription) {
		return api.NotFound("subscription")
	}
	return nil
}

// drop ends a subscription; false if there is none.
func (k *socket) drop(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	cancel := k.subs[id]
	delete(k.subs, id)
	if cancel != nil {
		cancel()
	}
	return cancel != nil
}

type notification struct {
	Version string     `json:"jsonrpc"`
	Method  string     `json:"method"`
	Params  api.Notice `json:"params"`
}

var errSlow = errors.New("slow consumer")

// push sends the events of one subscription. Whoever is slow to take an event is
// told to come back with its last cursor; whoever takes none loses the connection.
func (k *socket) push(ctx context.Context, id string, p api.EventsParams) {
	defer k.drop(id)
	last := p.From
	err := k.s.follow(ctx, p, func(e api.Event) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		start := time.Now()
		err := k.write(notification{"2.0", api.MethodEvent, api.Notice{Subscription: id, Event: &e}})
		last = api.Cursor{Height: e.Height, Seq: e.Seq}
		if err == nil && time.Since(start) > k.s.timing.slow {
			err = errSlow
		}
		return err
	}, func() error { return nil })
	switch {
	case errors.Is(err, errSlow):
		k.end(closeSlow, fmt.Sprintf("SLOW_CONSUMER: resume from %d.%d", last.Height, last.Seq))
		k.cancel()
	case ctx.Err() == nil && k.ctx.Err() == nil:
		resp := k.s.failed(nil, api.MethodSubscribe, err)
		_ = k.write(notification{"2.0", api.MethodEvent, api.Notice{Subscription: id, Error: resp.Error.Data}})
	}
}
