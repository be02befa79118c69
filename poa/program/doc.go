// SPDX-License-Identifier: Apache-2.0

// Package program describes the work of a task as a few bounded integers: which
// model is trained on which shapes, or which attribution is computed, and how the
// work is cut into segments that anyone can replay alone.
//
// It runs nothing and holds no floats: step sizes are the bits of binary32
// values, judged as integers. It refuses any description whose cost or memory is
// not bounded by its constants.
//
// The main types are Train and Attribute:
//
//	t := program.Train{Model: program.Softmax, Features: 64, Classes: 10, Scale: 16,
//		Batch: 32, StepsPerSegment: 50, Segments: 8, LR: 0x3f000000, Seed: 7}
//	if err := t.Check(); err != nil { … }
//
// Spec: TASK-01, TASK-02.
package program
