// SPDX-License-Identifier: Apache-2.0

// Package ref is the definition of a device: every output element is one call of
// fx.Elem on the elements of the inputs, one after the other.
//
// It is slow and never optimised: what it computes is right by reading. It refuses
// nothing but what gpu.Check refuses and more memory than it was given.
//
// The main type is Device:
//
//	d := ref.New(1 << 30) // bytes
//	defer d.Close()
//
// Spec: GPU-02, OP-02.
package ref
