// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"strings"
	"testing"
	"time"
)

// example has two quiet pairs and a loud one.
func example() Data {
	d := Data{Ours: "a", Peer: "b", Paced: "c", Default: "d", Rate: 500, Command: "make compare",
		Certs: Certs{Validators: 100, Segment: 64, Ours: []float64{30, 40, 35}, Peer: []float64{1_000, 1_000, 1_000}},
		Votes: []Bench{{300, 0}, {310, 1}},
		Areas: []Area{{"gossip", 2 * time.Second}}, Profiled: Run{Rate: 500, Executed: 10_000}}
	load := func(who string, pair int, p50, p99, cpu, other float64) Run {
		return Run{Who: who, What: "load", Pair: pair, Rate: 500, Batch: 1, Window: 10, Executed: 5_000, Blocks: 100, P50: p50, P99: p99,
			NodeCPU: []float64{cpu, cpu}, Other: other}
	}
	d.Runs = []Run{
		load("a", 1, 30, 60, 1, 0.05), load("b", 1, 60, 90, 2.5, 0.02),
		load("b", 2, 50, 100, 2.5, 0), load("a", 2, 40, 90, 1.5, 0),
		load("a", 3, 900, 900, 9, 0), load("b", 3, 50, 100, 2.5, 0.4),
		{Who: "a", What: "idle", Window: 20, NodeCPU: []float64{0.2, 0.2}},
		{Who: "b", What: "idle", Window: 20, NodeCPU: []float64{5, 5}},
		{Who: "c", What: "idle", Window: 20, NodeCPU: []float64{0.8, 0.8}},
		{Who: "a", What: "dead", Rate: 300, P99: 400, Executed: 1}, {Who: "b", What: "dead", Rate: 300, P99: 500, Executed: 1},
		{Who: "a", What: "slow", Rate: 300, P50: 300, Executed: 1}, {Who: "b", What: "slow", Rate: 300, P50: 400, Executed: 1},
		{Who: "a", What: "sync", Syncs: 90, Blocks: 100}, {Who: "b", What: "sync", Syncs: 900, Blocks: 100},
		{Who: "a", What: "knee", Rate: 4_000, Executed: 1_000, P99: 50, NodeCPU: []float64{0.05}},
		{Who: "a", What: "knee", Rate: 6_000, Executed: 1, P99: 2_000},
		{Who: "b", What: "knee", Rate: 1_500, Executed: 1, P99: 50}, {Who: "b", What: "knee", Rate: 2_200, Aborted: "refusals"},
	}
	return d
}

func TestTargetsAreJudgedByTheMedianOfThePairs(t *testing.T) {
	d := example()
	if pairs, marked, noisy := Discard(d.Runs, 0.1); pairs != 3 || marked != 1 || noisy {
		t.Fatalf("%d pairs, %d discarded, noisy %v", pairs, marked, noisy)
	}
	want := []struct {
		name    string
		ratio   float64
		verdict string
	}{
		{"knee, transfers per second", 4_000.0 / 1_500, "met"},
		{"p50 at 500/s, ms", (0.5 + 0.8) / 2, "**missed**"},
		{"p99 at 500/s, ms", (60.0/90 + 0.9) / 2, "**missed**"},
		{"CPU per transaction and node at 500/s, µs", 0.5, "met"},
		{"the same at our knee, µs", 0, "met"},
		{"idle, equal pace of empty blocks, % of a core per node", 0.25, "met"},
		{"idle, as shipped, % of a core per node", 0.04, "met"},
		{"p50 at 300/s, links of 50 ms with 1 % loss, ms", 0.75, "**missed**"},
		{"p99 at 300/s with one of four dead, ms", 0.8, "**missed**"},
		{"CPU for certificates per synced block, 100 validators, µs", 0.035, "met"},
		{"a vote through the core, µs; allocations: 1", 0, "**missed**"},
		{"waits for the disk per block and node under load", 0.1, "met"},
	}
	for i, r := range d.Rows() {
		w := want[i]
		off := r.Ratio.Median - w.ratio
		if r.Quantity != w.name || r.Verdict() != w.verdict || w.ratio != 0 && (off > 1e-9 || off < -1e-9) {
			t.Errorf("%s: ratio %v, %s; want %s: %v, %s", r.Quantity, r.Ratio.Median, r.Verdict(), w.name, w.ratio, w.verdict)
		}
	}
	text := d.Markdown()
	for _, part := range []string{"7 of 12 targets met, 5 missed.", "| p50 at 500/s, ms | 35 (30–40) | 55 (50–60) | 0.65 (0.50–0.80) | ≤ 0.60 × | **missed** |",
		"DISCARDED", "| gossip | 200 |", "fails refusals", "make compare", "one of four dead"} {
		if !strings.Contains(text, part) {
			t.Errorf("the report lacks %q:\n%s", part, text)
		}
	}
}

func TestALoudMachineIsSaidToBeOne(t *testing.T) {
	d := example()
	if pairs, marked, noisy := Discard(d.Runs, -1); pairs != 3 || marked != 3 || !noisy {
		t.Fatalf("%d pairs, %d discarded, noisy %v", pairs, marked, noisy)
	}
	for _, r := range d.Runs {
		if r.Discarded {
			t.Error("a run is discarded although none would be left")
		}
	}
}

func TestWhatWasNotMeasuredIsNotJudged(t *testing.T) {
	d := Data{Ours: "a", Peer: "b", Rate: 500}
	for _, r := range d.Rows() {
		if r.Verdict() != "not measured" {
			t.Errorf("%s: %s", r.Quantity, r.Verdict())
		}
	}
	if !strings.Contains(d.Markdown(), "0 of 0 targets met, 0 missed.") {
		t.Error("nothing measured is something")
	}
}
