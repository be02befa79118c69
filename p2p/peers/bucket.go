// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"sync"
	"time"
)

// Bucket is a token bucket: it fills with rate tokens per second up to burst.
// Safe for concurrent use; it holds no timer.
type Bucket struct {
	mu    sync.Mutex
	rate  float64 // tokens per second
	burst float64
	have  float64
	at    time.Time
}

// NewBucket returns a full bucket. Rate is in tokens per second and may be a
// fraction; burst is the most that can be taken at once.
func NewBucket(rate, burst float64, now time.Time) *Bucket {
	return &Bucket{rate: rate, burst: burst, have: burst, at: now}
}

// Take removes n tokens if they are there and reports whether it did.
func (b *Bucket) Take(n float64, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	if b.have < n {
		return false
	}
	b.have -= n
	return true
}

// Reserve removes n tokens, going into debt if needed, and returns how long the
// caller must wait before it acts. The debt is bounded by the caller's n.
func (b *Bucket) Reserve(n float64, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	b.have -= n
	if b.have >= 0 {
		return 0
	}
	return time.Duration(-b.have / b.rate * float64(time.Second))
}

// Full reports whether the bucket has refilled, so that it may be forgotten.
func (b *Bucket) Full(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	return b.have >= b.burst
}

func (b *Bucket) fill(now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		b.have = min(b.burst, b.have+float64(b.rate*d.Seconds()))
		b.at = now
	}
}
