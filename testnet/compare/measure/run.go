// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"fmt"
	"math"
	"slices"
)

// Run is one measurement of one network. Times of a load are those of its window:
// from the end of the warm-up to the last submission.
type Run struct {
	Who   string `json:"who"`
	What  string `json:"what"`           // "load", "dead", "slow", "idle", "knee", "sync", "profile"
	Pair  int    `json:"pair,omitempty"` // from 1 on; 0: not one of a pair
	Rate  int    `json:"rate,omitempty"`
	Batch int    `json:"batch,omitempty"`

	Window   float64        `json:"window_s"`
	Sent     int            `json:"sent,omitempty"`
	Refused  int            `json:"refused,omitempty"`
	Missing  int            `json:"missing,omitempty"` // accepted, never seen executed
	Reasons  map[string]int `json:"reasons,omitempty"`
	Executed int            `json:"executed,omitempty"` // seen executed within the window
	Blocks   int            `json:"blocks"`             // within the window
	Skipped  int            `json:"skipped,omitempty"`  // views of ours without a block, warm-up included

	P50 float64 `json:"p50_ms,omitempty"`
	P90 float64 `json:"p90_ms,omitempty"`
	P99 float64 `json:"p99_ms,omitempty"`
	Max float64 `json:"max_ms,omitempty"`

	NodeCPU   []float64 `json:"node_cpu_s"` // per live node
	LoaderCPU float64   `json:"loader_cpu_s"`
	Kernel    float64   `json:"kernel_cpu_s"` // interrupts and the kernel's own threads: disk and network
	Other     float64   `json:"other_cores"`  // work of anything else, in cores
	Steal     float64   `json:"steal_cores"`
	MiB       float64   `json:"rss_mib"`             // of all nodes together
	Syncs     int       `json:"syncs,omitempty"`     // of one node, What is "sync"
	Aborted   string    `json:"aborted,omitempty"`   // why the load was ended early
	Discarded bool      `json:"discarded,omitempty"` // other work: not in the medians
}

// Latencies fills the quantiles from milliseconds in any order, which it sorts;
// what was never executed counts as infinitely late.
func (r *Run) Latencies(ms []float64) {
	slices.Sort(ms)
	r.P50, r.P90 = finite(Quantile(ms, 0.5)), finite(Quantile(ms, 0.9))
	r.P99, r.Max = finite(Quantile(ms, 0.99)), finite(Quantile(ms, 1))
}

// never stands for "not executed at all" in milliseconds: JSON has no infinity.
const never = 1e9

func finite(x float64) float64 {
	if math.IsInf(x, 1) || math.IsNaN(x) {
		return never
	}
	return x
}

// CPUPerTx is microseconds of processor per executed transaction and node.
func (r Run) CPUPerTx() float64 {
	if r.Executed == 0 || len(r.NodeCPU) == 0 {
		return math.NaN()
	}
	return 1e6 * r.cpu() / float64(r.Executed) / float64(len(r.NodeCPU))
}

// Core is the part of one core that one node used, in percent.
func (r Run) Core() float64 {
	if len(r.NodeCPU) == 0 || r.Window == 0 {
		return math.NaN()
	}
	return 100 * r.cpu() / r.Window / float64(len(r.NodeCPU))
}

func (r Run) cpu() (sum float64) {
	for _, s := range r.NodeCPU {
		sum += s
	}
	return sum
}

// Passes is the rule of the knee: nothing refused or lost, and a p99 below one
// second.
func (r Run) Passes() bool {
	return r.Aborted == "" && r.Refused == 0 && r.Missing == 0 && r.Executed > 0 && r.P99 < 1_000
}

// Loud reports whether other work used more than limit cores.
func (r Run) Loud(limit float64) bool { return r.Other+r.Steal > limit }

// String is one line for a terminal.
func (r Run) String() string {
	head := fmt.Sprintf("%-22s %-5s", r.Who, r.What)
	tail := fmt.Sprintf("%5.1f %% of a core per node, %d blocks, loader %.1f s, other %.2f cores, steal %.2f, %.0f MiB",
		r.Core(), r.Blocks, r.LoaderCPU, r.Other, r.Steal, r.MiB)
	switch {
	case r.What == "idle":
		return head + " " + tail
	case r.What == "sync":
		return fmt.Sprintf("%s %d syncs in %d blocks", head, r.Syncs, r.Blocks)
	case r.Aborted != "":
		return fmt.Sprintf("%s %d/s by %d: ended early, %s; %d refused of %d %v, %d views skipped, other %.2f cores",
			head, r.Rate, r.Batch, r.Aborted, r.Refused, r.Sent, r.Reasons, r.Skipped, r.Other)
	}
	return fmt.Sprintf("%s %d/s by %d: p50 %.0f p90 %.0f p99 %.0f max %.0f ms, %.0f µs per tx and node, %d executed, %d refused, %d missing, %d views skipped; %s",
		head, r.Rate, r.Batch, r.P50, r.P90, r.P99, r.Max, r.CPUPerTx(), r.Executed, r.Refused, r.Missing, r.Skipped, tail)
}
