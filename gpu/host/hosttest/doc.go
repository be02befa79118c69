// SPDX-License-Identifier: Apache-2.0

// Package hosttest gives tests every device that this machine has: the definition,
// each path of the processor, and with build tag cuda a card behind a worker, that
// of the stand-in driver or, for make gpu, a real one.
//
// The test binary is the worker too, so its package needs
//
//	func TestMain(m *testing.M) { hosttest.Main(m, host.Work) }
//
// under that tag.
package hosttest
