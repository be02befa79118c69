// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"sync"
	"time"
)

// Clock tells the two times that consensus needs.
type Clock interface {
	Now() uint64  // monotonic milliseconds since some fixed start
	Wall() uint64 // Unix milliseconds
}

// Real is the machine's clock. The zero value is not usable; call NewReal.
type Real struct{ start time.Time }

// NewReal starts the monotonic count at zero.
func NewReal() Real { return Real{start: time.Now()} }

// Now implements Clock.
func (r Real) Now() uint64 { return uint64(time.Since(r.start).Milliseconds()) }

// Wall implements Clock.
func (r Real) Wall() uint64 { return wall() }

// Manual is a clock that only Advance moves. It is safe for concurrent use.
type Manual struct {
	mu        sync.Mutex
	now, wall uint64
}

// NewManual starts at monotonic 0 and the given Unix milliseconds.
func NewManual(wall uint64) *Manual { return &Manual{wall: wall} }

// Now implements Clock.
func (m *Manual) Now() uint64 { m.mu.Lock(); defer m.mu.Unlock(); return m.now }

// Wall implements Clock.
func (m *Manual) Wall() uint64 { m.mu.Lock(); defer m.mu.Unlock(); return m.wall }

// Advance moves both times forward by ms.
func (m *Manual) Advance(ms uint64) { m.mu.Lock(); defer m.mu.Unlock(); m.now += ms; m.wall += ms }
