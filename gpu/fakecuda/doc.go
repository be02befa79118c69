// SPDX-License-Identifier: Apache-2.0

// Package fakecuda builds a stand-in for the NVIDIA driver's library, so that
// everything around a card is tested on machines that have none: binding, memory,
// launches, quotas, crashes, hangs, wrong bits.
//
// The library holds one or more devices whose memory is the process's own. It
// proves nothing about compiled kernels, tiles or the order of memory accesses
// on a card; `make gpu` on a real one does.
//
// Environment variables change what it does; see the constants. For example:
//
//	dir := t.TempDir()
//	err := fakecuda.Build(dir) // writes dir/libcuda.so.1
//	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+dir, fakecuda.InitCode+"=100")
//
// Spec: GPU-09.
package fakecuda
