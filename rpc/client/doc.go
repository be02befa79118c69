// SPDX-License-Identifier: Apache-2.0

// Package client is the typed Go client of a node: Client implements
// api.Backend over HTTP, so that code written against the interface runs in the
// node's process or far from it. It keeps no keys and signs nothing.
//
//	c := client.New("http://127.0.0.1:9944", token)
//	head, err := c.ChainHead(ctx, api.Empty{})
package client
