// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"math"
	"testing"
)

func TestQuantilesAndMedians(t *testing.T) {
	v := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for q, want := range map[float64]float64{0: 1, 0.5: 5, 0.9: 9, 1: 10} {
		if got := Quantile(v, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if !math.IsNaN(Quantile(nil, 0.5)) || !math.IsNaN(Summarise(nil).Median) {
		t.Error("nothing has a quantile")
	}
	in := []float64{9, 1, 5, 3}
	if s := Summarise(in); s != (Spread{Median: 4, Min: 1, Max: 9, N: 4}) || in[0] != 9 {
		t.Errorf("%+v, input %v", s, in)
	}
	if s := Summarise([]float64{never, 1640}); s.String() != "∞ (1640–∞)" {
		t.Errorf("half of it never: %v", s)
	}
	for s, want := range map[Spread]string{
		{}:                                     "–",
		{Median: 61.26, Min: 1, Max: 2, N: 1}:  "61.3",
		{Median: 0.5, Min: 0.25, Max: 1, N: 3}: "0.50 (0.25–1)",
		{Median: math.Inf(1), N: 1}:            "∞",
		{Median: 1234.5, N: 1}:                 "1234",
		{Median: 0.00512, N: 1}:                "0.0051",
	} {
		if got := s.String(); got != want {
			t.Errorf("%+v prints %q, want %q", s, got, want)
		}
	}
}

func TestTheKernelsTextIsRead(t *testing.T) {
	m, err := ParseMachine("cpu  10 20 30 400 50 6 7 8 0 0\ncpu0 1 2 3\n")
	if err != nil || m != (Machine{Work: 60, Idle: 450, Interrupt: 13, Steal: 8}) {
		t.Errorf("%+v, %v", m, err)
	}
	if d := m.Sub(Machine{Work: 10, Idle: 50, Interrupt: 3, Steal: 8}); d != (Machine{Work: 50, Idle: 400, Interrupt: 10}) {
		t.Errorf("difference %+v", d)
	}
	got, err := ParseProcess("4711 (a b) c) S 2 4711 4711 0 -1 4194560 3 0 0 0 120 34 0 0 20 0 7 0 99 0 0\n")
	if err != nil || got != (Process{Parent: 2, Ticks: 154}) || !got.Kernel() {
		t.Errorf("%+v, %v", got, err)
	}
	calls, err := ParseSyncs("% time seconds usecs/call calls syscall\n------ ---- --- --- ---\n  9.00 0.1 10 7 fsync\n  1.00 0.0 10 5 fdatasync\n------ ----\n100.00 0.1 10 12 total\n")
	if err != nil || calls != 12 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if calls, err := ParseSyncs("\n"); err != nil || calls != 0 {
		t.Errorf("an empty table: %d, %v", calls, err)
	}
	for _, bad := range []string{"", "cpu 1 2", "intr 1 2 3 4 5 6 7 8 9", "cpu a b c d e f g h"} {
		if _, err := ParseMachine(bad); err == nil {
			t.Errorf("machine %q is read", bad)
		}
	}
	for _, bad := range []string{"", "1 (x) S 1 2", "1 x S 1 1 1 1 1 1 1 1 1 1 1 1 1 1"} {
		if _, err := ParseProcess(bad); err == nil {
			t.Errorf("process %q is read", bad)
		}
	}
	b, err := ParseBench("goos: linux\nBenchmarkX-2   1509285   328.1 ns/op   302 B/op   1 allocs/op\nPASS\nok  x  2.2s\n")
	if err != nil || len(b) != 1 || b[0] != (Bench{328.1, 1}) || b[0].String() != "328 ns and 1 allocations" {
		t.Errorf("%v, %v", b, err)
	}
	if _, err := ParseBench("FAIL"); err == nil {
		t.Error("a failure is a result")
	}
	if _, err := ParseSyncs("strace: not permitted"); err == nil {
		t.Error("a message is read as a table")
	}
}
