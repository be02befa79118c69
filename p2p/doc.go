// SPDX-License-Identifier: Apache-2.0

// Package p2p builds the one libp2p host of a node and keeps it connected.
//
// A host has an Ed25519 identity, TCP and QUIC transports, limits by profile,
// and protocols that live under /openledger/<X8>/, X8 being the first eight hex
// digits of the chain id. On every connection the two sides exchange a status;
// a peer of another network, version or clock is refused by name, and a peer
// that shows a validator's binding gets a validator stream. The host dials its
// bootstrap list and the peers of the last run for as long as it lives and
// learns further peers from statuses.
//
// It refuses to know what payloads mean: gossip messages, requests and votes
// are bytes, judged by functions that the node supplies. Relays, hole punching
// and the DHT are not part of it yet.
//
// The main type is [Host].
//
//	h, err := p2p.New(p2p.Config{KeySeed: seed, ChainID: id, Profile: "lan",
//		Listen: p2p.ListenOn("127.0.0.1", 9943), Status: status})
//	_, err = h.Gossip().Join(gossip.Tx, validate)
//	err = h.Start()
//
// Subpackages: peers (scores, limits), gossip (topics), stream (requests), mesh
// (validator streams), fetch (blobs), p2ptest (simulated networks).
//
// Spec: P2P-01 to P2P-05, P2P-07 to P2P-09, CONS-28.
package p2p
