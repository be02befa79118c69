// SPDX-License-Identifier: Apache-2.0

// Package worker claims posted tasks, computes them and commits the result
// (ARCHITECTURE journey B). Execute is the computation alone: the worker, the
// checkers and `openledger task verify` run the same function on the same bytes,
// and get the same bits.
package worker
