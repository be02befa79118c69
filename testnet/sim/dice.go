// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// dice gives the random numbers of one decision. They follow from the seed and
// from what is decided, never from the order of decisions.
func (s *Sim) dice(label string, data []byte, numbers ...uint64) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(label))
	for _, n := range numbers {
		h.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24), byte(n >> 32), 0xff})
	}
	h.Write(data)
	return rand.New(rand.NewPCG(s.seed, h.Sum64()))
}

// upTo draws a duration with all its nanoseconds, so that no two are equal.
func upTo(r *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(d) + 1))
}
