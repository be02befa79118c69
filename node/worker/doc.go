// SPDX-License-Identifier: Apache-2.0

// Package worker claims posted tasks, computes them and commits the result
// (ARCHITECTURE journey B). Execute is the computation alone: the worker, the
// checkers and `openledger task verify` run the same function on the same bytes,
// and get the same bits, on cards and on the processor.
//
// It refuses data and models that are not what the ledger says, and leaves a task that
// does not fit its models or this machine's memory to others, before it claims it. What
// a card computed that gave one wrong bit is thrown away. The state of a run is one
// file per task in the node's folder, from which a restart goes on.
//
//	in, err := worker.Load(ctx, services, id, spec)
//	err = worker.Fits(in, worker.Memory())
//	out, err := worker.Execute(in, worker.Options{File: file, Cards: lend})
//
// Spec: TASK-01, TASK-06, CHK-04, GPU-07, GPU-08.
package worker
