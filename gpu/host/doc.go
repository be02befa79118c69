// SPDX-License-Identifier: Apache-2.0

// Package host finds the devices of this machine and opens them: the CPU in this
// process, each card behind a worker process that has passed a self-test.
//
// It also reads what an owner says about them: which cards, how much memory and
// time, when, how warm. It shares nothing that was not offered: without a word of
// the owner there is no card.
//
//	cards, err := host.Cards(exe)
//	d, err := host.Open(exe, cards[0].UUID, host.Limits{Memory: 8 << 30, Share: 50})
//
// Spec: GPU-07, GPU-08, GPU-10.
package host
