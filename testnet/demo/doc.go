// SPDX-License-Identifier: Apache-2.0

// Package demo plays the whole economy on one machine with real parts: separate
// node processes, a real dataset, training, replay, attribution, paid answers and
// payouts to the last unit (DEMO-01, DEMO-02, DEMO-03). It talks to the nodes
// through their RPC only and checks everything it claims; the first check that
// fails ends it.
//
//	r, err := demo.Run(ctx, demo.Options{Dir: dir, Program: exe, Out: os.Stdout})
package demo
