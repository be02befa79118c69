// SPDX-License-Identifier: Apache-2.0

// Package checker replays tasks when its operator is drawn: it computes every
// segment again, commits to what it found and reveals it (ARCHITECTURE journey
// B, steps 8 and 9). It copies nobody's verdict: the salted commitment is on the
// ledger before any verdict is shown.
package checker
