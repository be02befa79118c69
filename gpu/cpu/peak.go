// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"time"

	"github.com/openledger/openledger/gpu/cpu/kern"
)

// Peak runs multiply-adds in the registers of all threads at once and returns how
// many floating point operations that were and how long they took; 0 in plain Go.
// Spec: PERF-01.
func (d *Device) Peak() (flops float64, took time.Duration) {
	const rounds = 1 << 21
	n := d.pool.Threads()
	per := make([]int, n)
	start := time.Now()
	d.pool.Run(n, func(_ *kern.Worker, i int) { per[i] = d.cpu.Peak(rounds) })
	took = time.Since(start)
	for _, p := range per {
		flops += float64(p)
	}
	return flops, took
}
