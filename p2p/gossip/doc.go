// SPDX-License-Identifier: Apache-2.0

// Package gossip spreads small signed payloads to every node of a network.
//
// A topic is /openledger/<X8>/<name>/1 for a name of a fixed list, with a size
// bound. The node supplies a validator per topic that answers Accept, Ignore or
// Reject; only accepted messages travel on. Messages carry no gossip signature
// and no author: authenticity is inside the payload.
//
// It refuses subscriptions outside the list, messages above the topic's size,
// and peers whose score fell too low. It never carries data sets, models, votes
// or block bodies: those travel by streams.
//
// The main types are [Router] and [Topic].
//
//	r, err := gossip.New(gossip.Config{Host: h, Prefix: "/openledger/0a1b2c3d/"})
//	t, err := r.Join(gossip.Tx, validate)
//	err = t.Publish(ctx, raw)
//
// Spec: P2P-10, P2P-11, P2P-12 (score weights).
package gossip
