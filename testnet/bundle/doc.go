// SPDX-License-Identifier: Apache-2.0

// Package bundle reads and writes the file with which a node joins a network:
// the genesis document and addresses of first peers (NET-02). The chain id in it
// is only shown; what counts is the hash of the genesis bytes.
package bundle
