// SPDX-License-Identifier: Apache-2.0

package proc

import "time"

// Bounds of Health.
const (
	firstWait  = time.Second
	longest    = time.Minute
	lossWindow = 10 * time.Minute
	lossesMost = 3 // of one task within lossWindow
)

// Health remembers how often a device was lost. It is pure: the caller brings the
// time. The zero value has lost nothing. Spec: GPU-07.
type Health struct {
	inRow int
	task  string
	times []time.Time // losses on task
}

// Lost records a loss during task ("" for none) and says how long to wait before
// the worker is started again: 1 s, twice as long after each further loss, at
// most a minute. quarantine means that one task has lost the device three times
// within ten minutes: the task goes back, and the device rests until a self-test
// has passed.
func (h *Health) Lost(now time.Time, task string) (wait time.Duration, quarantine bool) {
	wait = min(firstWait<<min(h.inRow, 16), longest)
	h.inRow++
	if task != h.task {
		h.task, h.times = task, nil
	}
	if task == "" {
		return wait, false
	}
	recent := h.times[:0]
	for _, t := range h.times {
		if now.Sub(t) < lossWindow {
			recent = append(recent, t)
		}
	}
	h.times = append(recent, now)
	return wait, len(h.times) >= lossesMost
}

// Fine records that the device finished something, or passed a self-test.
func (h *Health) Fine() { *h = Health{} }
