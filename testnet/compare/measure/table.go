// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"fmt"
	"math"
)

// Data is all that a comparison measured.
type Data struct {
	Ours, Peer, Paced, Default string // names of the sides in Runs
	Rate                       int    // at which the targets of latency and cost hold
	Runs                       []Run
	Certs                      Certs
	Votes                      []Bench // one vote through the core
	Areas                      []Area  // of the profile
	Profiled                   Run
	Notes                      []string // what could not be measured, and why
	Machine                    []string
	Command                    string
}

// Row is one target of CONS-70.
type Row struct {
	Quantity    string
	Ours, Peer  Spread
	Ratio       Spread // ours to the peer's, pair by pair
	Target      string
	Met, Judged bool // Judged: there was something to compare
}

// Verdict is one word for the table.
func (r Row) Verdict() string {
	switch {
	case !r.Judged:
		return "not measured"
	case r.Met:
		return "met"
	}
	return "**missed**"
}

// atMost and atLeast judge a ratio, limit a figure of ours alone.
func (r Row) atMost(x float64) Row {
	r.Target = fmt.Sprintf("≤ %s ×", number(x))
	r.Judged, r.Met = r.Ratio.N > 0, r.Ratio.Median <= x
	return r
}

func (r Row) atLeast(x float64) Row {
	r.Target = fmt.Sprintf("≥ %.1f ×", x)
	r.Judged, r.Met = r.Ratio.N > 0, r.Ratio.Median >= x
	return r
}

func (r Row) limit(x float64, unit string) Row {
	r.Target = fmt.Sprintf("≤ %s %s", number(x), unit)
	r.Judged, r.Met = r.Ours.N > 0, r.Ours.Median <= x
	return r
}

// Rows compares the runs with the targets of CONS-70.
func (d Data) Rows() []Row {
	cpu := Run.CPUPerTx
	load := func(f func(Run) float64) Row { return d.row("load", d.Peer, d.Rate, f) }
	named := func(name string, r Row) Row { r.Quantity = name; return r }
	at := fmt.Sprintf(" at %d/s", d.Rate)
	ours, best := d.knee(d.Ours)
	peer, _ := d.knee(d.Peer)
	knee := Row{Ours: one(ours), Peer: one(peer), Ratio: one(ours / peer)}
	return []Row{
		named("knee, transfers per second", knee.atLeast(2)),
		named("p50"+at+", ms", load(func(r Run) float64 { return r.P50 }).atMost(0.6)),
		named("p99"+at+", ms", load(func(r Run) float64 { return r.P99 }).atMost(0.75)),
		named("CPU per transaction and node"+at+", µs", load(cpu).atMost(0.5)),
		named("the same at our knee, µs", Row{Ours: one(best.CPUPerTx())}.limit(60, "µs")),
		named("idle, equal pace of empty blocks, % of a core per node", d.row("idle", d.Paced, 0, Run.Core).atMost(0.5)),
		named("idle, as shipped, % of a core per node", d.row("idle", d.Peer, 0, Run.Core).limit(2, "%")),
		named("p50 at 300/s, links of 50 ms with 1 % loss, ms", d.row("slow", d.Peer, 300, func(r Run) float64 { return r.P50 }).atMost(0.7)),
		named("p99 at 300/s with one of four dead, ms", d.row("dead", d.Peer, 300, func(r Run) float64 { return r.P99 }).atMost(0.5)),
		named(fmt.Sprintf("CPU for certificates per synced block, %d validators, µs", d.Certs.Validators),
			Row{Ours: Summarise(d.Certs.Ours), Peer: Summarise(d.Certs.Peer), Ratio: ratios(d.Certs.Ours, d.Certs.Peer)}.atMost(0.1)),
		d.votes(),
		named("waits for the disk per block and node under load", d.row("sync", d.Peer, 0, syncsPerBlock).limit(1, "")),
	}
}

// votes is within its target only without an allocation.
func (d Data) votes() Row {
	var us []float64
	allocs := 0
	for _, v := range d.Votes {
		us = append(us, v.Nanoseconds/1_000)
		allocs = max(allocs, v.Allocations)
	}
	r := Row{Quantity: fmt.Sprintf("a vote through the core, µs; allocations: %d", allocs), Ours: Summarise(us)}.limit(2, "µs, 0")
	r.Met = r.Met && allocs == 0
	return r
}

func one(x float64) Spread {
	if math.IsNaN(x) || math.IsInf(x, 0) || x == 0 {
		return Spread{Median: math.NaN()}
	}
	return Summarise([]float64{x})
}

func syncsPerBlock(r Run) float64 { return float64(r.Syncs) / float64(r.Blocks) }

// ratios divides two lists element by element.
func ratios(a, b []float64) Spread {
	var out []float64
	for i := range min(len(a), len(b)) {
		out = append(out, a[i]/b[i])
	}
	return Summarise(out)
}

// row collects a figure of both sides from the runs of a kind that count. Runs of
// one pair are divided by each other; kinds that are not run in pairs, in order.
func (d Data) row(what, peer string, rate int, f func(Run) float64) Row {
	var a, b []float64
	for _, r := range d.Runs {
		if r.What != what || r.Rate != rate || r.Discarded || math.IsNaN(f(r)) {
			continue
		}
		switch r.Who {
		case d.Ours:
			a = append(a, f(r))
		case peer:
			b = append(b, f(r))
		}
	}
	return Row{Ours: Summarise(a), Peer: Summarise(b), Ratio: ratios(a, b)}
}

// knee repeats the search over the probes of a side: the highest rate below every
// failure, and its run. NaN if there was no search.
func (d Data) knee(who string) (rate float64, best Run) {
	k, seen := &Knee{}, false
	for _, r := range d.Runs {
		if r.What == "knee" && r.Who == who {
			k.Record(r.Rate, r.Passes())
			seen = true
		}
	}
	if !seen {
		return math.NaN(), Run{}
	}
	for _, r := range d.Runs {
		if r.What == "knee" && r.Who == who && r.Rate == k.best && r.Passes() {
			best = r
		}
	}
	return float64(k.best), best
}

// Discard marks the pairs in which either side had other work beside it, or takes
// all if none would be left. It returns how many pairs there were, how many were
// marked, and whether the marks were taken back.
func Discard(runs []Run, limit float64) (pairs, marked int, noisy bool) {
	loud := map[int]bool{}
	most := 0
	for _, r := range runs {
		most = max(most, r.Pair)
		if r.Pair > 0 && r.What == "load" && r.Loud(limit) {
			loud[r.Pair] = true
		}
	}
	for i := range runs {
		runs[i].Discarded = loud[runs[i].Pair] && runs[i].What == "load" && len(loud) < most
	}
	return most, len(loud), len(loud) == most && most > 0
}
