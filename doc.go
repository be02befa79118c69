// SPDX-License-Identifier: Apache-2.0

// Package openledger holds the tests that keep the whole tree in order: layers
// and purity, documentation, sizes. The program is cmd/openledger.
package openledger
