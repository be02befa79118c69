// SPDX-License-Identifier: Apache-2.0

// Package api is the one registry of JSON-RPC methods: names, permissions,
// parameter and result types, examples, error codes, and the Backend that a
// node implements (RPC-03, RPC-10, RPC-11). The server dispatches from it and
// the OpenRPC document is generated from it, so neither can drift.
//
// It holds no transport and no node. A method is added in one place: its types
// and its Backend method in the file of its namespace, and one row in Methods.
package api
