// SPDX-License-Identifier: Apache-2.0

package main

// certCost is processor time per block to check certificates in sync, n = 100.
type certCost struct{ ours, peer float64 }
