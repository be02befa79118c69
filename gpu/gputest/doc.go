// SPDX-License-Identifier: Apache-2.0

// Package gputest compares a device with the definition of its operations, bit
// for bit, on inputs made to hurt: NaN with payloads, infinities, zeros of both
// signs, subnormals, ties, lengths around every block size, odd offsets.
//
// It needs no test framework, so that a worker runs the same cases as its
// self-test. It proves nothing about speed, and nothing about shapes that it did
// not draw: cases are seeded, and a failure prints what repeats it.
//
// The main function is Conform. For example:
//
//	func TestConforms(t *testing.T) { gputest.Conform(t, open(), gputest.Options{}) }
//
// Spec: GPU-02, OP-02, OP-03.
package gputest
