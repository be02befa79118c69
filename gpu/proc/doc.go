// SPDX-License-Identifier: Apache-2.0

// Package proc runs a device in a process of its own, so that a driver that
// crashes, hangs or leaks takes nothing else with it.
//
// [Start] runs a program with a transfer memory that both share and two pipes;
// what it returns is a gpu.Device whose every call is one message there and one
// back. The other side is [Serve] around any device. Tensors never enter a
// message. A call that gets no answer in time ends the process.
//
//	d, err := proc.Start(proc.Worker{Path: exe, Args: []string{"gpu-worker", "--device", uuid}})
//	defer d.Close()
//
// [Health] says when a device that was lost may be started again, and when it is
// to be left alone.
//
// Spec: GPU-01, GPU-07.
package proc
