// SPDX-License-Identifier: Apache-2.0

// Package tune trains decoder language models on any gpu.Device, all weights or the
// adapters of LoRA beside frozen ones, as a chain of segments with the same bits on
// every device.
//
// The state {what is trained, its moments, step} stays on the device. After each
// segment its root enters a leaf of poa/checkpoint and it is saved by rename, so a
// run that was killed goes on from there and ends in the same bits.
//
// It refuses texts without a token to learn, saved states of another job, and losses
// that are no numbers: then nothing is saved and there is nothing to commit. After a
// lost device its state is gone, never half a step.
//
// The main types are Job and Trainer:
//
//	t, err := tune.New(m, tune.Job{Spec: spec, Rates: rates, SegmentSteps: 50, Data: records})
//	res, err := t.Run(tune.Options{File: "state.safetensors"})
//
// Spec: TNS-04, TNS-05, CHK-01.
package tune
