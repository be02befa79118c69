// SPDX-License-Identifier: Apache-2.0

// Package doctor diagnoses a node's home and machine and names the fixing
// command for what it finds (NODE-13). It repairs nothing.
package doctor
