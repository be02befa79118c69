// SPDX-License-Identifier: Apache-2.0

// Package shadow wraps a device so that it is not trusted: some elements of some
// launches are computed again by the definition, and a single differing bit takes
// the device away before anything is committed.
//
// Which ones is drawn from a seed that the device does not know. It costs about one
// launch in Every, and finds rare faults only in the long run: a checker's replay
// finds them all.
//
//	d := shadow.New(card, shadow.Options{Seed: seed})
//
// Spec: GPU-08.
package shadow
