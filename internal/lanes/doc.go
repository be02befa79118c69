// SPDX-License-Identifier: Apache-2.0

// Package lanes checks the equation of Ed25519 signatures on eight points of the
// curve at a time, for processors with 52-bit vector multipliers (AVX-512 IFMA). It
// knows no message, no hash and no scalar arithmetic: internal/keys brings the
// factors. Nothing in it is secret or takes constant time.
//
//	k := lanes.NewKey(pk)
//	ok := lanes.Zero(&b, []lanes.Term{{R: r, Z: z, H: h, Key: k}})
//
// A sum that is zero proves the signatures; one that is not proves nothing, because
// keys asks its other implementation then. So a fault in here could cost time, and
// could make a false signature pass only if it turned another point into the neutral
// one. Spec: KEY-01.
package lanes
