// SPDX-License-Identifier: Apache-2.0

// Package stream carries bounded frames over libp2p streams: one request per
// stream with one or more answer frames, and sessions that stay open.
//
// All protocols live under /openledger/<X8>/, so another network's node cannot
// open them. A frame is a u32 big-endian length and that many bytes. A request
// is one frame, then the asker closes its side. An answer is a sequence of
// frames whose first byte says what follows: 0 data, 1 a final error with a
// code byte and text. The end of the stream ends the answer; a reset is an error.
//
// It refuses frames above the protocol's bound before it reads them, answers
// later than the protocol's deadline, requests above the peer's rate, and peers
// that the admission check does not know. Payloads are opaque here.
//
// The main types are [Service] and [Protocol].
//
//	svc.Register(stream.Protocol{Name: "batch/1", MaxFrame: 64 << 10, Deadline: 2 * time.Second,
//		Rate: 256, Burst: 512, Handler: stream.Unary(answer)})
//	resp, err := svc.Request(ctx, peer, "batch/1", req)
//
// Spec: P2P-03, P2P-08, CONS-28.
package stream
