// SPDX-License-Identifier: Apache-2.0

package kern

import "github.com/openledger/openledger/internal/fx"

// Words fills dst with the words of s from number 4·block on, and applies the
// generator times to each counter, which is once but in benchmarks: then it is
// fed its own output. Shapes: dst has a multiple of four words. Cost: about 0.5 ns
// per word and time. Spec: FX-06, BEN-02.
func (c CPU) Words(dst []uint32, s fx.Stream, block uint64, times int) {
	args := [6]uint32{0, uint32(block >> 32), s.Stream, uint32(s.Purpose), uint32(s.Seed), uint32(s.Seed >> 32)}
	for len(dst) > 0 {
		n := min(len(dst)/4, 1<<20) / c.width() // vectors of counters
		wraps := uint64(uint32(block))+uint64(n*c.width()) > 1<<32
		if c.path == Ref || n == 0 || wraps {
			ctr := [4]uint32{uint32(block), uint32(block >> 32), s.Stream, uint32(s.Purpose)}
			for range times {
				ctr = fx.Philox([2]uint32{args[4], args[5]}, ctr)
			}
			dst = dst[copy(dst, ctr[:]):]
			block++
			continue
		}
		args[0], args[1] = uint32(block), uint32(block>>32)
		if c.path == AVX512 {
			philoxAVX512(&dst[0], n, times, &args)
		} else {
			philoxAVX2(&dst[0], n, times, &args)
		}
		dst = dst[4*n*c.width():]
		block += uint64(n * c.width())
	}
}
