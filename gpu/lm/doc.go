// SPDX-License-Identifier: Apache-2.0

// Package lm answers with decoder language models on any gpu.Device: weights from a
// HuggingFace folder or drawn from a seed, in fx/1 or fx/int8, a cache of keys and
// values, the sampling rule, text as it comes.
//
// Prefill in pieces of any length and token by token give the same bits, on every
// device. It refuses a model that does not fit into memory before it reads a weight,
// texts longer than the context, and logits that are no numbers. It trains nothing;
// gpu/tune does.
//
// The main types are Model and Session:
//
//	m, err := lm.Load(d, folder, lm.Options{Context: 2048})
//	s, err := m.Session(2048)
//	err = s.Feed(ids)
//	row, err := s.Logits()
//	id, err := lm.Sampling{Temperature: 0.8, TopP: 0.95, Seed: 1}.Pick(row, s.Len())
//
// Spec: TNS-01, TNS-03, INF-02, INF-03, OP-03, FX-07.
package lm
