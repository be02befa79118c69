// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Method is one row of the registry.
type Method struct {
	Name    string
	Perm    Perm
	Summary string
	Example string // parameters as JSON that decode into Params
	Params  any    // zero value of the parameter struct
	Result  any    // zero value of the result struct
	// Heavy methods read much of the state or run transactions; a server runs few
	// of them at once.
	Heavy bool
	// Call decodes the params member of a request strictly and runs the method on
	// b. It is nil for the methods of a WebSocket connection, which have no
	// Backend method. Errors: *Error with CodeInvalidParams, those of the method.
	Call func(ctx context.Context, b Backend, params json.RawMessage) (any, error)
}

// Namespace is the part of the name before the underscore.
func (m Method) Namespace() string {
	ns, _, _ := strings.Cut(m.Name, "_")
	return ns
}

// Request is a whole request with the example's parameters.
func (m Method) Request() string {
	return fmt.Sprintf(`{"id":1,"method":%q,"params":%s}`, m.Name, m.Example)
}

// Socket reports whether the method exists on WebSocket connections only.
func (m Method) Socket() bool { return m.Call == nil }

func def[P, R any](name string, perm Perm, summary, example string, call func(Backend, context.Context, P) (R, error)) Method {
	var p P
	var r R
	set := paramsOf[P]()
	return Method{Name: name, Perm: perm, Summary: summary, Example: example, Params: p, Result: r,
		Call: func(ctx context.Context, b Backend, raw json.RawMessage) (any, error) {
			var p P
			if err := set.decode(raw, &p); err != nil {
				return nil, err
			}
			return call(b, ctx, p)
		}}
}

func heavy(m Method) Method {
	m.Heavy = true
	return m
}

// Backend is everything a node offers to clients, by namespace.
type Backend interface {
	NodeBackend
	ChainBackend
	TxBackend
	ObjectBackend
	InferBackend
}

// Methods returns the registry in the order of the documentation.
func Methods() []Method {
	var all []Method
	for _, group := range [][]Method{nodeMethods, chainMethods, streamMethods, txMethods, objectMethods, inferMethods} {
		all = append(all, group...)
	}
	return all
}
