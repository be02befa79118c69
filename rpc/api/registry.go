// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"strings"
)

// Method is one row of the registry.
type Method struct {
	Name    string
	Perm    Perm
	Summary string
	Example string // parameters as JSON
	Params  any    // zero value of the parameter struct
	Result  any    // zero value of the result struct
	// Bind returns the typed function func(context.Context, Params) (Result, error)
	// of this method on b.
	Bind func(b Backend) any
}

// Namespace is the part of the name before the underscore.
func (m Method) Namespace() string { return m.Name[:strings.IndexByte(m.Name, '_')] }

func def[P, R any](name string, perm Perm, summary, example string, call func(Backend, context.Context, P) (R, error)) Method {
	var p P
	var r R
	return Method{Name: name, Perm: perm, Summary: summary, Example: example, Params: p, Result: r,
		Bind: func(b Backend) any {
			return func(ctx context.Context, p P) (R, error) { return call(b, ctx, p) }
		}}
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
	for _, group := range [][]Method{nodeMethods, chainMethods, txMethods, objectMethods, inferMethods} {
		all = append(all, group...)
	}
	return all
}
