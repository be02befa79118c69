// SPDX-License-Identifier: Apache-2.0

// Package sync brings a node that is behind to the head of the chain: it asks
// peers for blocks with their certificates, checks every certificate, link and
// body, and commits through the same chain.Commit as live blocks (CONS-47,
// NODE-12). A validator uses Catchup when its core asks; a full node runs Follow.
package sync
