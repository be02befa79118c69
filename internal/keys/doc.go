// SPDX-License-Identifier: Apache-2.0

// Package keys holds Ed25519 account and vote keys verified under ZIP-215,
// addresses, authorisations, and the one table of hash and signature domains
// (KEY-01, KEY-02, ENC-05). It never reads a random source of its own and never
// prints a secret.
package keys
