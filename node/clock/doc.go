// SPDX-License-Identifier: Apache-2.0

// Package clock is the only source of time in the node: Real for a running
// process, Manual for tests. Core packages never see it; they receive
// milliseconds as inputs (CONS-04).
package clock
