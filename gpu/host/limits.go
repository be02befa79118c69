// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrSetting reports a setting that cannot be read; its text says how to write it.
var ErrSetting = errors.New("gpu setting")

// Limits are what an owner gives of one card.
type Limits struct {
	Memory uint64 // bytes
	Share  uint64 // percent of the time, 1 … 100
	// Deadline of one call, after which the card counts as lost; 0: two minutes.
	Deadline time.Duration
}

// Select is which cards are offered.
type Select struct {
	All     bool
	Indices []int // ascending, distinct
}

// ParseSelect reads --gpu: off, auto (all cards), or indices such as 0,2.
// Errors: ErrSetting.
func ParseSelect(s string) (Select, error) {
	switch s {
	case "", "off":
		return Select{}, nil
	case "auto":
		return Select{All: true}, nil
	}
	var out Select
	for _, part := range strings.Split(s, ",") {
		i, err := strconv.ParseUint(part, 10, 8)
		if err != nil || slices.Contains(out.Indices, int(i)) {
			return Select{}, fmt.Errorf("%w: --gpu %q: write off, auto, or numbers of cards such as 0,2 (openledger gpu list shows them)", ErrSetting, s)
		}
		out.Indices = append(out.Indices, int(i))
	}
	slices.Sort(out.Indices)
	return out, nil
}

// Has says whether card i is offered.
func (s Select) Has(i int) bool { return s.All || slices.Contains(s.Indices, i) }

// Off says whether no card is offered.
func (s Select) Off() bool { return !s.All && len(s.Indices) == 0 }

// ParseMemory reads --gpu-mem for a card of total bytes: 8GiB, 500MiB, or a share
// such as 80%; "" is 80%. Never above total. Errors: ErrSetting.
func ParseMemory(s string, total uint64) (uint64, error) {
	bad := fmt.Errorf("%w: --gpu-mem %q: write an amount such as 8GiB or 500MiB, or a share such as 80%%", ErrSetting, s)
	if s == "" {
		s = "80%"
	}
	if number, ok := strings.CutSuffix(s, "%"); ok {
		p, err := strconv.ParseUint(number, 10, 8)
		if err != nil || p < 1 || p > 100 {
			return 0, bad
		}
		return total / 100 * p, nil
	}
	for suffix, unit := range map[string]uint64{"GiB": 1 << 30, "MiB": 1 << 20} {
		if number, ok := strings.CutSuffix(s, suffix); ok {
			n, err := strconv.ParseUint(number, 10, 32)
			if err != nil || n == 0 {
				return 0, bad
			}
			return min(n*unit, total), nil
		}
	}
	return 0, bad
}

// ParseShare reads --gpu-share: 1% … 100%; "" is 100%. Errors: ErrSetting.
func ParseShare(s string) (uint64, error) {
	if s == "" {
		return 100, nil
	}
	number, ok := strings.CutSuffix(s, "%")
	p, err := strconv.ParseUint(number, 10, 8)
	if !ok || err != nil || p < 1 || p > 100 {
		return 0, fmt.Errorf("%w: --gpu-share %q: write a share such as 50%%", ErrSetting, s)
	}
	return p, nil
}

// Schedule is a part of each day, in minutes since midnight of local time. From ==
// To is the whole day; To < From goes past midnight.
type Schedule struct{ From, To int }

// ParseSchedule reads --gpu-schedule: 22:00-07:00; "" is always. Errors:
// ErrSetting.
func ParseSchedule(s string) (Schedule, error) {
	if s == "" {
		return Schedule{}, nil
	}
	from, to, ok := strings.Cut(s, "-")
	a, err1 := time.Parse("15:04", from)
	b, err2 := time.Parse("15:04", to)
	if !ok || err1 != nil || err2 != nil {
		return Schedule{}, fmt.Errorf("%w: --gpu-schedule %q: write hours such as 22:00-07:00", ErrSetting, s)
	}
	return Schedule{a.Hour()*60 + a.Minute(), b.Hour()*60 + b.Minute()}, nil
}

// Open says whether cards may work at t.
func (s Schedule) Open(t time.Time) bool {
	m := t.Hour()*60 + t.Minute()
	switch {
	case s.From == s.To:
		return true
	case s.From < s.To:
		return s.From <= m && m < s.To
	}
	return m >= s.From || m < s.To
}

// rest is how long a card must stand still after it was busy, so that it is busy
// for at most share percent of the time. Spec: GPU-10.
func rest(busy time.Duration, share uint64) time.Duration {
	if share >= 100 {
		return 0
	}
	return busy * time.Duration(100-share) / time.Duration(share)
}
