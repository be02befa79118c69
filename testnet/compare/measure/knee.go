// SPDX-License-Identifier: Apache-2.0

package measure

// Knee searches the highest rate that passes: upwards by half until a probe
// fails, then between the best pass and the worst fail. One failed probe decides
// a rate. The zero value is not usable.
type Knee struct {
	first, most int
	best, fail  int // highest pass, lowest fail; 0 if none yet
}

// fine is how close pass and fail come, as a part of the pass.
const fine = 0.1

// NewKnee starts at first and never goes above most, both in transactions per
// second.
func NewKnee(first, most int) *Knee { return &Knee{first: first, most: most} }

// Next returns the next rate to probe; false when the search is over.
func (k *Knee) Next() (rate int, ok bool) {
	switch {
	case k.fail == 0 && k.best == 0:
		return k.first, true
	case k.fail == 0:
		rate = min(round(k.best+k.best/2), k.most)
		return rate, rate > k.best
	case k.best == 0:
		rate = round(k.fail / 2)
		return rate, rate >= k.first/10
	case float64(k.fail-k.best) <= fine*float64(k.best):
		return 0, false
	}
	rate = round((k.best + k.fail) / 2)
	return rate, rate > k.best && rate < k.fail
}

// Record notes the outcome of a probe.
func (k *Knee) Record(rate int, pass bool) {
	if pass {
		k.best = max(k.best, rate)
	} else if k.fail == 0 || rate < k.fail {
		k.fail = rate
	}
}

// Result is the highest rate that passed, 0 if none did. capped says that no
// rate failed, so the knee is higher.
func (k *Knee) Result() (rate int, capped bool) { return k.best, k.fail == 0 && k.best > 0 }

// round makes a rate a multiple of 20, the largest batch of requests.
func round(rate int) int { return max(20, rate/20*20) }
