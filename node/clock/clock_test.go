// SPDX-License-Identifier: Apache-2.0

package clock

import "testing"

func TestManualMovesOnlyWhenAdvanced(t *testing.T) {
	m := NewManual(1_000)
	var _ Clock = m
	var _ Clock = NewReal()
	if m.Now() != 0 || m.Wall() != 1_000 {
		t.Fatalf("start: now %d wall %d", m.Now(), m.Wall())
	}
	m.Advance(250)
	if m.Now() != 250 || m.Wall() != 1_250 {
		t.Fatalf("after advance: now %d wall %d", m.Now(), m.Wall())
	}
}

func TestRealIsMonotonic(t *testing.T) {
	r := NewReal()
	if a, b := r.Now(), r.Now(); b < a {
		t.Fatalf("went back from %d to %d", a, b)
	}
	if r.Wall() < 1_600_000_000_000 {
		t.Fatalf("wall clock is not Unix milliseconds: %d", r.Wall())
	}
}
