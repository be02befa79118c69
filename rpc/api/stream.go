// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"

	"github.com/openledger/openledger/internal/keys"
)

// SubscribeParams are those of chain_subscribe: topics wanted (none means all),
// events that name Account only, and the cursor of the last event seen. Without
// From the stream starts with the next event.
type SubscribeParams struct {
	Topics  []string      `json:"topics,omitempty"`
	Account *keys.Address `json:"account,omitempty"`
	From    *Cursor       `json:"from,omitempty"`
}

// Subscribed names a subscription; events after At follow.
type Subscribed struct {
	Subscription string `json:"subscription"`
	At           Cursor `json:"at"`
}

// UnsubscribeParams names a subscription of the same connection.
type UnsubscribeParams struct {
	Subscription string `json:"subscription"`
}

// Notice is the params member of a chain_event notification: one event, or the
// error that ended the subscription.
type Notice struct {
	Subscription string     `json:"subscription"`
	Event        *Event     `json:"event,omitempty"`
	Error        *ErrorData `json:"error,omitempty"`
}

// Methods of a WebSocket connection. Spec: RPC-07.
const (
	MethodSubscribe   = "chain_subscribe"
	MethodUnsubscribe = "chain_unsubscribe"
	MethodEvent       = "chain_event"
)

// DecodeSubscribe reads the parameters of chain_subscribe. Errors: *Error.
func DecodeSubscribe(raw json.RawMessage) (p SubscribeParams, err error) {
	return p, paramsOf[SubscribeParams]().decode(raw, &p)
}

// DecodeUnsubscribe reads the parameters of chain_unsubscribe. Errors: *Error.
func DecodeUnsubscribe(raw json.RawMessage) (p UnsubscribeParams, err error) {
	return p, paramsOf[UnsubscribeParams]().decode(raw, &p)
}

var streamMethods = []Method{
	{Name: MethodSubscribe, Perm: Read, Summary: "WebSocket: events as chain_event notifications, from a cursor without gap or repeat.",
		Example: `{"topics":["head","tx"],"from":{"height":1,"seq":0}}`, Params: SubscribeParams{}, Result: Subscribed{}},
	{Name: MethodUnsubscribe, Perm: Read, Summary: "WebSocket: end a subscription of this connection.",
		Example: `{"subscription":"1"}`, Params: UnsubscribeParams{}, Result: Empty{}},
}
