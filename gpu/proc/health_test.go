// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"testing"
	"time"
)

func TestGPU07WaitsDoubleUntilAMinute(t *testing.T) {
	var h Health
	now := time.Unix(0, 0)
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if wait, q := h.Lost(now, ""); wait != want*time.Second || q {
			t.Errorf("loss %d: %v %v, want %v s", i, wait, q, want)
		}
	}
	h.Fine()
	if wait, _ := h.Lost(now, ""); wait != time.Second {
		t.Errorf("after it was fine: %v", wait)
	}
}

func TestGPU07ThreeLossesOfOneTaskWithinTenMinutes(t *testing.T) {
	type loss struct {
		minute int
		task   string
		want   bool
	}
	for name, story := range map[string][]loss{
		"within":     {{0, "a", false}, {5, "a", false}, {9, "a", true}},
		"too slow":   {{0, "a", false}, {5, "a", false}, {10, "a", false}, {11, "a", true}},
		"other task": {{0, "a", false}, {1, "a", false}, {2, "b", false}, {3, "b", false}, {4, "b", true}},
		"no task":    {{0, "", false}, {1, "", false}, {2, "", false}, {3, "", false}},
	} {
		var h Health
		for i, l := range story {
			if _, q := h.Lost(time.Unix(0, 0).Add(time.Duration(l.minute)*time.Minute), l.task); q != l.want {
				t.Errorf("%s: loss %d: quarantine %v", name, i, q)
			}
		}
	}
}
