// SPDX-License-Identifier: Apache-2.0

// Package cuda is the device of an NVIDIA card: memory, transfers and launches of
// the kernels of gpu/kernels through the driver that is installed.
//
// Only a worker process uses it (GPU-07): a driver may take its process with it.
// It computes nothing itself and chooses no order of additions; it refuses what
// does not fit the memory that it was given. Without the build tag cuda there are
// no cards and every call says so.
//
//	cards, err := cuda.Cards()
//	d, err := cuda.Open(cards[0], 8<<30) // on one goroutine, locked to its thread
//	defer d.Close()
//
// Spec: GPU-01, GPU-04, GPU-07, GPU-10.
package cuda
