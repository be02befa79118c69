// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// TicksPerSecond is USER_HZ, in which /proc counts processor time on every
// architecture that Linux runs on today.
const TicksPerSecond = 100

// ErrProc reports text that is not what the kernel writes.
var ErrProc = errors.New("unreadable /proc text")

// Machine is processor time of all cores since boot, in ticks. Interrupt time
// belongs to nobody: on a loopback network most of it is the traffic measured.
type Machine struct {
	Work      uint64 // user, nice and system
	Idle      uint64 // idle and waiting for a disk
	Interrupt uint64
	Steal     uint64 // the host gave the core to another guest
}

// ParseMachine reads the first line of /proc/stat. Errors: ErrProc.
func ParseMachine(stat string) (Machine, error) {
	line, _, _ := strings.Cut(stat, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return Machine{}, fmt.Errorf("%w: %.60q", ErrProc, line)
	}
	var v [8]uint64
	for i := range v {
		var err error
		if v[i], err = strconv.ParseUint(f[1+i], 10, 64); err != nil {
			return Machine{}, fmt.Errorf("%w: %.60q", ErrProc, line)
		}
	}
	return Machine{Work: v[0] + v[1] + v[2], Idle: v[3] + v[4], Interrupt: v[5] + v[6], Steal: v[7]}, nil
}

// Sub is the time between two readings.
func (m Machine) Sub(before Machine) Machine {
	return Machine{m.Work - before.Work, m.Idle - before.Idle, m.Interrupt - before.Interrupt, m.Steal - before.Steal}
}

// Process is the processor time of all threads of a process, user and system, in
// ticks.
type Process struct {
	Parent int
	Ticks  uint64
}

// Kernel reports whether the process is a thread of the kernel.
func (p Process) Kernel() bool { return p.Parent == 2 }

// ParseProcess reads the text of /proc/<pid>/stat. The name in parentheses may
// hold anything. Errors: ErrProc.
func ParseProcess(stat string) (Process, error) {
	i := strings.LastIndexByte(stat, ')')
	if i < 0 {
		return Process{}, fmt.Errorf("%w: %.60q", ErrProc, stat)
	}
	f := strings.Fields(stat[i+1:]) // from field 3 on
	if len(f) < 13 {
		return Process{}, fmt.Errorf("%w: %.60q", ErrProc, stat)
	}
	parent, err := strconv.Atoi(f[1])
	user, err1 := strconv.ParseUint(f[11], 10, 64)
	system, err2 := strconv.ParseUint(f[12], 10, 64)
	if err := errors.Join(err, err1, err2); err != nil {
		return Process{}, fmt.Errorf("%w: %.60q", ErrProc, stat)
	}
	return Process{parent, user + system}, nil
}

// ParseSyncs counts the calls in a table of `strace -c`: fsync, fdatasync and
// msync with all their relatives. Nothing at all means none. Errors: ErrProc if
// there is text but no table.
func ParseSyncs(table string) (calls int, err error) {
	seen := strings.TrimSpace(table) == ""
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 5 || !strings.Contains(f[len(f)-1], "sync") {
			seen = seen || len(f) > 0 && f[len(f)-1] == "total"
			continue
		}
		n, err := strconv.Atoi(f[3])
		if err != nil {
			return 0, fmt.Errorf("%w: %.60q", ErrProc, line)
		}
		calls, seen = calls+n, true
	}
	if !seen {
		return 0, fmt.Errorf("%w: no table of strace: %.60q", ErrProc, table)
	}
	return calls, nil
}

// Bench is one run of a Go benchmark.
type Bench struct {
	Nanoseconds float64
	Allocations int
}

// String is one line for a terminal.
func (b Bench) String() string {
	return fmt.Sprintf("%s ns and %d allocations", number(b.Nanoseconds), b.Allocations)
}

// ParseBench reads the results of one benchmark, run with -benchmem. Errors:
// ErrProc if there are none.
func ParseBench(out string) (list []Bench, err error) {
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) != 8 || f[3] != "ns/op" || f[7] != "allocs/op" {
			continue
		}
		ns, err1 := strconv.ParseFloat(f[2], 64)
		allocs, err2 := strconv.Atoi(f[6])
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("%w: %.60q", ErrProc, line)
		}
		list = append(list, Bench{ns, allocs})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: no result of a benchmark: %.200q", ErrProc, out)
	}
	return list, nil
}
