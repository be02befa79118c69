// SPDX-License-Identifier: Apache-2.0

package measure

import "testing"

// probe runs a search against a network that carries so much, and returns the
// result and how many probes it took.
func probe(first, most, carries int) (rate int, capped bool, probes int) {
	k := NewKnee(first, most)
	for r, ok := k.Next(); ok; r, ok = k.Next() {
		k.Record(r, r <= carries)
		if probes++; probes > 50 {
			break
		}
	}
	rate, capped = k.Result()
	return rate, capped, probes
}

func TestTheKneeIsFoundFromBelow(t *testing.T) {
	for carries := 200; carries < 19_000; carries += 137 {
		rate, capped, probes := probe(1_000, 20_000, carries)
		if rate > carries || float64(rate) < float64(carries)/1.11-40 || capped {
			t.Errorf("a network that carries %d: knee %d, capped %v", carries, rate, capped)
		}
		if probes > 14 {
			t.Errorf("a network that carries %d took %d probes", carries, probes)
		}
	}
}

func TestASearchWithoutAFailureSaysSo(t *testing.T) {
	if rate, capped, _ := probe(1_000, 8_000, 100_000); rate != 8_000 || !capped {
		t.Errorf("knee %d, capped %v", rate, capped)
	}
	if rate, capped, probes := probe(1_000, 8_000, 0); rate != 0 || capped || probes > 6 {
		t.Errorf("knee %d, capped %v after %d probes", rate, capped, probes)
	}
}

// TestAFailureBelowAPassDecides keeps a lucky higher probe from hiding a failure.
func TestAFailureBelowAPassDecides(t *testing.T) {
	k := NewKnee(1_000, 20_000)
	k.Record(1_000, true)
	k.Record(1_500, false)
	k.Record(1_240, true)
	k.Record(1_360, true)
	k.Record(1_420, true)
	if r, ok := k.Next(); ok {
		t.Errorf("goes on with %d", r)
	}
}
