// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/openledger/openledger/testnet/compare/measure"
)

// Sample is one reading of the kernel's counters.
type Sample struct {
	at      time.Time
	machine measure.Machine
	nodes   []uint64 // ticks
	self    uint64
	kernel  uint64 // its threads: disk and network of whoever uses them
	mib     float64
}

// Read samples the processes, this one and the machine. Errors: a process that
// has ended.
func Read(pids []int) (Sample, error) {
	s := Sample{at: time.Now()}
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Sample{}, err
	}
	if s.machine, err = measure.ParseMachine(string(stat)); err != nil {
		return Sample{}, err
	}
	if s.self, err = ticks(os.Getpid()); err != nil {
		return Sample{}, err
	}
	for _, pid := range pids {
		t, err := ticks(pid)
		if err != nil {
			return Sample{}, err
		}
		s.nodes = append(s.nodes, t)
		s.mib += resident(pid)
	}
	s.kernel, err = kernel()
	return s, err
}

func ticks(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	p, err := measure.ParseProcess(string(b))
	return p.Ticks, err
}

// kernel adds up the threads of the kernel. They live as long as the machine, or
// long enough.
func kernel() (sum uint64, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // ended meanwhile
		}
		if p, err := measure.ParseProcess(string(b)); err == nil && p.Kernel() {
			sum += p.Ticks
		}
	}
	return sum, nil
}

func resident(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var size, pages int
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		return 0
	}
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

// Fill writes into r what happened between two samples.
func Fill(r *measure.Run, before, after Sample) {
	const tick = 1.0 / measure.TicksPerSecond
	wall := after.at.Sub(before.at).Seconds()
	m := after.machine.Sub(before.machine)
	r.NodeCPU = nil
	own := max(after.kernel, before.kernel) - before.kernel
	known := after.self - before.self + own
	for i := range after.nodes {
		t := after.nodes[i] - before.nodes[i]
		known += t
		r.NodeCPU = append(r.NodeCPU, float64(t)*tick)
	}
	r.LoaderCPU = float64(after.self-before.self) * tick
	r.Kernel = float64(m.Interrupt+own) * tick
	r.Other = max(0, float64(m.Work)-float64(known)) * tick / wall
	r.Steal = float64(m.Steal) * tick / wall
	r.MiB = after.mib
}

// Syncs counts the calls of a process that wait for a disk, with strace, for a
// time. It slows that process down: measure nothing else meanwhile. Errors:
// strace is missing or may not look.
func Syncs(ctx context.Context, pid int, d time.Duration) (int, error) {
	out, err := os.CreateTemp("", "compare-strace-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	cmd := exec.CommandContext(ctx, "strace", "-f", "-c", "-U", "time-percent,total-time,avg-time,calls,name", "-e", "trace=fsync,fdatasync,msync,sync_file_range,syncfs",
		"-o", out.Name(), "-p", strconv.Itoa(pid))
	var said strings.Builder
	cmd.Stderr = &said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return 0, errors.Join(err, errors.New(said.String()))
	}
	table, err := os.ReadFile(out.Name())
	if err != nil {
		return 0, err
	}
	return measure.ParseSyncs(string(table))
}
