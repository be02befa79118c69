// SPDX-License-Identifier: Apache-2.0

// Package learn runs a decoder.Learn: texts, and perhaps a base model, become a
// language model or adapters of the base, as one package of gpu/format/pack with the
// roots that the network compares. Equal inputs give equal bytes on every device.
//
// It refuses texts that the description does not fit, a base of another architecture,
// and what does not fit into memory. A loss that is no number gives nothing. Where a
// run saves its state it goes on from there, to the same bytes.
//
// The main types are Job and Run:
//
//	err := learn.Fits(spec, base, textBytes, memory) // before anything is promised
//	r, err := learn.New(learn.Job{Task: id, Operator: o, Spec: spec, Texts: texts, Base: base})
//	res, err := r.On(device, nil, tune.Options{File: "state.safetensors"})
//
// Spec: TASK-01, TNS-04, TNS-05, TNS-06, CHK-01.
package learn
