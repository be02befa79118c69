// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"fmt"
	"math"
	"strings"
)

// Markdown writes the whole report.
func (d Data) Markdown() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# Consensus beside CometBFT v0.40.0\n")
	p("Written by `testnet/compare`; do not edit. Rules and targets: CONS-70.\n")
	p("    %s\n", d.Command)
	for _, m := range d.Machine {
		p("- %s", m)
	}
	for _, n := range d.Notes {
		p("- %s", n)
	}
	p("\n%s", d.Table())
	p("Medians, ranges in brackets; ratios are taken pair by pair.\n")
	d.loads(p)
	d.knees(p)
	d.where(p)
	p("## Every run\n")
	p("Each line is one run; a node's processor time is user and system time of its process, `other` is what nothing of the benchmark used.\n")
	for _, r := range d.Runs {
		mark := ""
		if r.Discarded {
			mark = " DISCARDED"
		}
		p("    %v%s", r, mark)
	}
	return b.String()
}

// Table is the targets, wins and losses.
func (d Data) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| quantity | %s | %s | ratio | target | |\n| --- | --- | --- | --- | --- | --- |\n", d.Ours, d.Peer)
	met, judged := 0, 0
	for _, r := range d.Rows() {
		fmt.Fprintf(&b, "| %s | %v | %v | %v | %s | %s |\n", r.Quantity, r.Ours, r.Peer, r.Ratio, r.Target, r.Verdict())
		if r.Judged {
			judged++
		}
		if r.Judged && r.Met {
			met++
		}
	}
	fmt.Fprintf(&b, "\n%d of %d targets met, %d missed.\n", met, judged, judged-met)
	return b.String()
}

// loads shows every rate of the pairs and the peer's other profiles.
func (d Data) loads(p func(string, ...any)) {
	type key struct {
		who, what   string
		rate, batch int
	}
	var order []key
	groups := map[key][]Run{}
	for _, r := range d.Runs {
		if (r.What != "load" && r.What != "dead" && r.What != "slow" && r.What != "idle") || r.Discarded {
			continue
		}
		k := key{r.Who, r.What, r.Rate, r.Batch}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], r)
	}
	if len(order) == 0 {
		return
	}
	p("## All loads\n")
	p("| network | load | p50 ms | p90 ms | p99 ms | CPU µs per tx and node | CPU %% of a core per node | blocks/s | runs |")
	p("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, k := range order {
		col := func(f func(Run) float64) Spread {
			var v []float64
			for _, r := range groups[k] {
				if x := f(r); !math.IsNaN(x) {
					v = append(v, x)
				}
			}
			return Summarise(v)
		}
		what := fmt.Sprintf("%d/s, %d per request", k.rate, k.batch)
		latency := func(f func(Run) float64) Spread { return col(f) }
		switch k.what {
		case "idle":
			what, latency = "idle", func(func(Run) float64) Spread { return Spread{} }
		case "dead":
			what += ", one of four dead"
		case "slow":
			what += ", links of 50 ms with 1 % loss"
		}
		p("| %s | %s | %v | %v | %v | %v | %v | %v | %d |", k.who, what, latency(func(r Run) float64 { return r.P50 }),
			latency(func(r Run) float64 { return r.P90 }), latency(func(r Run) float64 { return r.P99 }), col(Run.CPUPerTx), col(Run.Core),
			col(func(r Run) float64 { return float64(r.Blocks) / r.Window }), len(groups[k]))
	}
	p("")
}

// knees shows the probes of the search.
func (d Data) knees(p func(string, ...any)) {
	first := true
	for _, r := range d.Runs {
		if r.What != "knee" {
			continue
		}
		if first {
			p("## Search for the knee\n")
			p("| network | rate | p50 ms | p99 ms | CPU µs per tx and node | refused | lost | |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
			first = false
		}
		verdict := "passes"
		if !r.Passes() {
			verdict = "fails " + r.Aborted
		}
		p("| %s | %d/s | %s | %s | %s | %d | %d | %s |", r.Who, r.Rate, number(r.P50), number(r.P99), number(r.CPUPerTx()), r.Refused, r.Missing, verdict)
	}
	if !first {
		p("")
	}
}

// where shows a profile of one of our nodes.
func (d Data) where(p func(string, ...any)) {
	if len(d.Areas) == 0 {
		return
	}
	p("## Where the processor time of our node goes at %d/s\n", d.Profiled.Rate)
	p("| part | µs per transaction |\n| --- | --- |")
	for _, a := range d.Areas {
		p("| %s | %.0f |", a.Name, a.Cost.Seconds()*1e6/float64(d.Profiled.Executed))
	}
	p("")
}
