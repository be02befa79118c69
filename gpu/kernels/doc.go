// SPDX-License-Identifier: Apache-2.0

// Package kernels holds the operations as programs for NVIDIA cards: their text in
// C, what clang made of it for two generations of cards, and how each operation is
// launched.
//
// src/fx.h and src/prim.h are the arithmetic and the operations, one text for the
// card, for the stand-in driver and for tests; src/tile.h and src/tensor.h are
// what a card does by many threads together. None of it adds in another order
// than internal/fx, uses a float atomic, an approximation, or splits a chain.
// `make ptx` compiles; `make ptx-check` compares the bytes with the committed ones.
//
//	for _, l := range kernels.Plan(node.Op, node.Attrs, sig, 8, true) {
//		// launch l.Kernel for items 0 … l.Items−1
//	}
//
// Spec: GPU-06.
package kernels
