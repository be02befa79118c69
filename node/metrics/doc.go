// SPDX-License-Identifier: Apache-2.0

// Package metrics shows how a node is doing to Prometheus: chain, peers, mempool and
// the cards that its owner offers, beside the process itself.
//
// Everything is read when somebody asks, so that being measured costs nothing
// otherwise. Peers, accounts and tasks are never labels.
//
//	http.Handle("GET /metrics", metrics.Handler(version, node.snapshot))
//
// Spec: OBS-02.
package metrics
