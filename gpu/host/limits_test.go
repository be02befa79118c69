// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"testing"
	"time"
)

func TestGPU10Memory(t *testing.T) {
	const total = 80 << 30
	for in, want := range map[string]uint64{"": total / 100 * 80, "8GiB": 8 << 30, "500MiB": 500 << 20, "1%": total / 100, "100%": total / 100 * 100, "999GiB": total} {
		if got, err := ParseMemory(in, total); err != nil || got != want {
			t.Errorf("%q: %d %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"0%", "101%", "8", "8GB", "-1GiB", "0GiB", "GiB", "99999999999GiB", "1.5GiB"} {
		if _, err := ParseMemory(in, total); !errors.Is(err, ErrSetting) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestGPU10WhichCards(t *testing.T) {
	for in, want := range map[string][3]bool{"": {}, "off": {}, "auto": {true, true, true}, "0,2": {true, false, true}, "1": {false, true, false}} {
		s, err := ParseSelect(in)
		if err != nil || [3]bool{s.Has(0), s.Has(1), s.Has(2)} != want || s.Off() != (want == [3]bool{}) {
			t.Errorf("%q: %+v %v", in, s, err)
		}
	}
	for _, in := range []string{"on", "0,0", "0,", "-1", "999", "0 1"} {
		if _, err := ParseSelect(in); !errors.Is(err, ErrSetting) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestGPU10Hours(t *testing.T) {
	at := func(h, m int) time.Time { return time.Date(2026, 1, 2, h, m, 30, 0, time.UTC) }
	for _, c := range []struct {
		in    string
		h, m  int
		opens bool
	}{
		{"", 3, 0, true}, {"22:00-07:00", 21, 59, false}, {"22:00-07:00", 22, 0, true}, {"22:00-07:00", 0, 0, true},
		{"22:00-07:00", 6, 59, true}, {"22:00-07:00", 7, 0, false}, {"09:30-17:00", 9, 29, false}, {"09:30-17:00", 9, 30, true}, {"08:00-08:00", 1, 1, true},
	} {
		s, err := ParseSchedule(c.in)
		if err != nil || s.Open(at(c.h, c.m)) != c.opens {
			t.Errorf("%q at %02d:%02d: %v", c.in, c.h, c.m, err)
		}
	}
	for _, in := range []string{"22:00", "25:00-07:00", "22-07", "22:00-07:61"} {
		if _, err := ParseSchedule(in); !errors.Is(err, ErrSetting) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestGPU10Share(t *testing.T) {
	for share, want := range map[uint64]time.Duration{100: 0, 50: 20 * time.Millisecond, 20: 80 * time.Millisecond, 1: 1980 * time.Millisecond} {
		if got := rest(20*time.Millisecond, share); got != want {
			t.Errorf("%d %%: rests %v after 20 ms, want %v", share, got, want)
		}
	}
	for _, in := range []string{"0%", "50", "101%", "%"} {
		if _, err := ParseShare(in); !errors.Is(err, ErrSetting) {
			t.Errorf("%q: %v", in, err)
		}
	}
}
