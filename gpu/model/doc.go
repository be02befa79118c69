// SPDX-License-Identifier: Apache-2.0

// Package model holds the two models of the first release as tensors and as
// graphs of fx/1 operations on the CPU: softmax/1, multinomial logistic
// regression, and mlp/1, one hidden layer of rectified units.
//
// It names tensors, initialises them from a seed, encodes weights as one blob,
// commits to them with a root over tensor digests, turns tables into inputs,
// and computes logits, losses, gradients and updates whose every bit is fixed.
//
// It refuses shapes above its bounds, blobs with another encoding, other
// tensors or a number that is not finite, and labels or features that do not
// fit the model. It knows nothing of tasks, segments, peers or money.
//
// The main types are Weights and Net:
//
//	arch := model.ArchOf(spec)
//	w := model.Init(arch, seed)
//	n := model.NewNet(w)
//	n.Logits(x, out)                     // x and out are one row
//	blob := w.Encode()
//	w, err := model.Decode(blob)
//
// Spec: TNS-01 tensors, OP-03 row rule, OP-04 SGD, OP-05 forms, FX-03 chains.
package model
