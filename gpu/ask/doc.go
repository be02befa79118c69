// SPDX-License-Identifier: Apache-2.0

// Package ask runs a decoder.Ask: what a finished model says about rows, segment by
// segment, with the roots that the network compares. A row of a table is answered by
// its logits or judged by its label; a line of a text is continued, or its tokens are
// judged by what the model expected. A result depends on the model, its own row and
// the row's number alone: segments, batches and devices change no bit.
//
// It refuses rows and models that do not fit each other, adapters that do not fit
// their base, answers that are no numbers, and what does not fit into memory.
//
// The main types are Job and Results:
//
//	res, err := ask.Run(job, device, ask.Options{File: "results"})
//	list, err := ask.Decode(res.Blob)
//
// Spec: TASK-01, INF-02, INF-03, OP-03, CHK-01.
package ask
