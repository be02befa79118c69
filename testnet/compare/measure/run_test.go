// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"math"
	"strings"
	"testing"
)

func TestFiguresOfARun(t *testing.T) {
	r := Run{Window: 10, Executed: 5_000, NodeCPU: []float64{1, 2, 3, 4}}
	if got := r.CPUPerTx(); got != 500 {
		t.Errorf("%v µs per transaction", got)
	}
	if got := r.Core(); got != 25 {
		t.Errorf("%v %% of a core", got)
	}
	r.Latencies([]float64{30, 10, 20, math.Inf(1)})
	if r.P50 != 20 || r.Max != never || !strings.Contains(r.String(), "p50 20") {
		t.Errorf("%+v", r)
	}
	if !math.IsNaN(Run{}.CPUPerTx()) || !math.IsNaN(Run{}.Core()) {
		t.Error("nothing costs something")
	}
	r.Latencies(nil)
	if r.P99 != never {
		t.Error("no latency is a good one")
	}
}

func TestWhatPassesTheRuleOfTheKnee(t *testing.T) {
	good := Run{Executed: 100, P99: 999}
	if !good.Passes() {
		t.Error("a good run fails")
	}
	for name, spoil := range map[string]func(*Run){
		"a refusal":    func(r *Run) { r.Refused = 1 },
		"a loss":       func(r *Run) { r.Missing = 1 },
		"a second":     func(r *Run) { r.P99 = 1_000 },
		"an early end": func(r *Run) { r.Aborted = "behind" },
		"nothing":      func(r *Run) { r.Executed = 0 },
	} {
		r := good
		if spoil(&r); r.Passes() {
			t.Errorf("%s passes", name)
		}
	}
	if (Run{Other: 0.06, Steal: 0.05}).Loud(0.1) != true || (Run{Other: 0.1}).Loud(0.1) {
		t.Error("other work is misjudged")
	}
}
