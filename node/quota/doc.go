// SPDX-License-Identifier: Apache-2.0

// Package quota keeps a home within the disk that its operator grants it, and stops
// a node before its disk is full. It knows an order of things that may be deleted,
// not what they are: keys, the log and the state of the head are never among them.
//
//	k := quota.New(quota.Config{Max: 50 << 30, Free: free, Used: used, Steps: steps, Low: blobs.Refuse})
//	err := k.Turn() // now and then; ErrFull: stop the node
//
// Spec: NODE-01.
package quota
