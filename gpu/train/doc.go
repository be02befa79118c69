// SPDX-License-Identifier: Apache-2.0

// Package train runs a training task as a chain of segments and replays it,
// the whole run or one segment, with the same bits on every machine.
//
// The state is {parameters, momentum, step}. After each segment its root enters
// a leaf of poa/checkpoint; the run ends with the commitment and the weights.
//
// It refuses specs and data that do not fit, saved states of another task, and
// results that are not finite: then there is nothing to commit. It reads no
// clock, no files and no network, and it starts no goroutine.
//
// The main types are Job and Result:
//
//	job := train.Job{Task: id, Operator: addr, Spec: spec, Data: data}
//	res, err := train.Run(job, train.Options{Stop: stopped, Save: write})
//	// res.Commitment, res.WeightsRoot, res.Output and res.Blob go into TaskCommit
//
// Spec: TNS-04, TASK-01, CHK-01, CHK-04.
package train
