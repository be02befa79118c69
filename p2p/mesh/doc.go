// SPDX-License-Identifier: Apache-2.0

// Package mesh keeps one long-lived vote/1 stream to every other validator.
//
// The peer with the lower id opens the stream and opens it again after a break,
// with a jittered back-off of 0.1 to 5 s. Frames wait in a bounded queue per
// validator; the writer drains the whole queue into one write, so frames are
// coalesced without any timer and an urgent one is never held back.
//
// It refuses streams from peers that have not shown a validator's binding, and
// streams opened from the wrong side. It never blocks a sender: when a queue is
// full, frames of older views go first and the newest kept frame stays.
// Delivery is not promised; consensus re-sends (CONS-24).
//
// The main type is [Mesh].
//
//	m, err := mesh.New(mesh.Config{Service: svc, Self: host.ID(), OnFrame: in})
//	m.SetMembers(ownVoteKey, voteKeysOfTheSet)
//	m.Bind(voteKeyOfAnother, itsPeerID)
//	m.Broadcast(mesh.Frame{Data: vote, View: 17, Keep: true})
//
// Spec: P2P-08 (vote/1), P2P-09, CONS-28.
package mesh
