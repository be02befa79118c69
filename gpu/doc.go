// SPDX-License-Identifier: Apache-2.0

// Package gpu says what a device is: memory and operations on it, one at a time or,
// in a plan of a graph, some together.
//
// Every device computes the bits that fx.Elem defines for an operation, so that
// which device did a piece of work cannot be seen in the result. gpu/ref computes
// element by element and is the definition; the others are fast and compared with
// it by gpu/gputest.
//
// It knows no models, tasks, peers or money, and refuses whatever does not fit
// before the device sees it: [Check] is the one gate for shapes, types and shared
// memory.
//
// The main type is Device. For example, c = a·bᵀ:
//
//	a, err := d.Alloc(fx.F32, m*k)
//	...
//	err = d.Upload(a, fx.AppendBits(nil, values))
//	n := program.Node{Op: fx.OpGemm, Attrs: []uint64{1, m, n, k, 1, fx.NoLimit, 0}, In: []uint64{0, 1}, Shape: []uint64{m, n}}
//	err = d.Run(n, []gpu.Buffer{a, b}, c)
//	err = d.Download(bytes, c) // waits for what it needs
//
// Spec: GPU-01, OP-02.
package gpu
