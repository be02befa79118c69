// SPDX-License-Identifier: Apache-2.0

// Package rpc serves the registry of rpc/api as JSON-RPC 2.0 over HTTP and
// WebSocket, with permissions, limits, event streams and health pages
// (RPC-01, RPC-07, RPC-08, RPC-09, RPC-13). It knows nothing of a node beyond
// api.Backend and an EventSource.
//
//	s, err := rpc.New(rpc.Config{Listen: "127.0.0.1:9944", Backend: b, Token: token})
//	err = s.Start()
//	defer s.Close(ctx)
package rpc
