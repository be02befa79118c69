// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/openledger/openledger/testnet/compare/measure"
)

// report prints the table and writes the report.
func (b *bench) report(took time.Duration) error {
	pairs, loud, noisy := measure.Discard(b.runs, b.quiet)
	switch {
	case noisy:
		b.note("NOT QUIET: all %d pairs had more than %v core of other work beside them. They are used nevertheless; repeat this on a quiet machine.", pairs, b.quiet)
	case pairs > 0:
		b.note("%d of %d pairs were discarded for more than %v core of other work.", loud, pairs, b.quiet)
	}
	singles, disturbed := 0, 0
	for _, r := range b.runs {
		if r.What == "idle" || r.What == "dead" || r.What == "slow" || r.What == "knee" {
			singles++
			if r.Loud(b.quiet) {
				disturbed++
			}
		}
	}
	if disturbed > 0 {
		b.note("%d of the %d runs of idle, dead, slow links and knee had more than %v core of other work beside them.", disturbed, singles, b.quiet)
	}
	b.notes = append(b.notes,
		"Slow links are a switch of frames in this program, between network namespaces: 50 ms each way, 1 % of the frames lost; its work is part of the loader's.",
		fmt.Sprintf("Our sync checks one certificate per answer of %d blocks (CONS-47), here an aggregate, the dearer kind; a list of signatures per block would cost %v µs.",
			b.certs.Segment, measure.Summarise(b.certs.List)))
	d := measure.Data{Ours: b.ours.name, Peer: b.tuned.name, Paced: b.paced.name, Default: b.standard.name, Rate: b.rates[0], Runs: b.runs,
		Certs: b.certs, Votes: b.votes, Areas: b.areas, Profiled: b.profiled, Notes: b.notes, Machine: machine(), Command: b.command(took)}
	fmt.Fprintf(b.say, "\n%s\n", d.Table())
	if b.markdown == "" {
		return nil
	}
	return os.WriteFile(b.markdown, []byte(d.Markdown()), 0o644)
}

func (b *bench) command(took time.Duration) string {
	var rates []string
	for _, r := range b.rates {
		rates = append(rates, fmt.Sprint(r))
	}
	return fmt.Sprintf("make compare PAIRS=%d SECS=%g RATES=%s   # took %.0f minutes", b.pairs, b.window.Seconds(), strings.Join(rates, ","), took.Minutes())
}

// machine says what the figures depend on.
func machine() []string {
	out := []string{fmt.Sprintf("%d cores %s, %s/%s, %s; nodes, loader and whatever else share them.", runtime.NumCPU(), processor(), runtime.GOOS, runtime.GOARCH, runtime.Version())}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		release, _, _ := strings.Cut(strings.TrimSpace(string(b)), "-")
		out[0] = strings.TrimSuffix(out[0], ".") + "; Linux " + release + "."
	}
	line := "Four validators each, links over loopback, both databases on the same file system."
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/cometbft/cometbft" {
				line += " CometBFT " + m.Version + "."
			}
		}
	}
	if rev, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		line += " This tree at " + strings.TrimSpace(string(rev)) + "."
	}
	return append(out, line)
}

func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), ":"))
		}
	}
	return ""
}
