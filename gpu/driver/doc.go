// SPDX-License-Identifier: Apache-2.0

// Package driver binds the NVIDIA driver when a program asks for it, so that one
// binary starts on machines with and without one.
//
// Nothing of CUDA is linked. names.txt lists the entry points that
// gorgonia.org/cu and this program call; gen.go turns it into trampolines that
// jump through a table, which [Open] fills from libcuda.so.1. Before that, and
// for names that the installed driver lacks, a call answers
// CUDA_ERROR_NOT_INITIALIZED. include/cuda.h is our own text of the documented
// interface; lib/libcuda.so is a linker script that answers -lcuda.
//
// The node never calls Open: only the worker process does, because a driver
// that fails may take its process with it (GPU-07). The package holds code only
// with the build tag cuda, on linux; without it, it is empty.
//
// Spec: GPU-04, GPU-05.
package driver
