// SPDX-License-Identifier: Apache-2.0

// Package cpu is the device that every machine has: all operations of fx/1 and
// fx/int8 on the threads of this process, bit-equal to gpu/ref.
//
// It maps an operation with its attributes onto the loops of gpu/cpu/kern, which
// run as AVX-512, AVX2 or plain Go. Elements that have no loop there are loops
// over rows here; nothing runs element by element through fx.Elem but a merge of runs
// that are not sorted.
//
// It refuses big-endian machines, because buffers are little-endian bytes that
// kernels read in place.
//
// The main type is Device:
//
//	d, err := cpu.New(cpu.Options{Memory: 4 << 30, Force: os.Getenv("OPENLEDGER_CPU")})
//	defer d.Close()
//
// Spec: GPU-01, GPU-03.
package cpu
