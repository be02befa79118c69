// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Available is what this machine can give without swapping, in bytes: what Linux says,
// less where the process's control group (version 2) allows less; elsewhere 8 GiB.
func Available() uint64 { return available("/proc/meminfo", "/sys/fs/cgroup") }

func available(meminfo, group string) uint64 {
	free := uint64(8 << 30)
	if kib := fields(meminfo)["MemAvailable:"]; kib > 0 {
		free = kib << 10
	}
	most, err1 := number(filepath.Join(group, "memory.max"))
	used, err2 := number(filepath.Join(group, "memory.current"))
	if err1 == nil && err2 == nil {
		stat := fields(filepath.Join(group, "memory.stat"))
		used -= min(used, stat["inactive_file"]+stat["active_file"]) // files are let go of when memory is asked for
		free = min(free, most-min(used, most))
	}
	return free
}

// fields are the first two words of each line of a file, where the second is a number.
func fields(path string) map[string]uint64 {
	out := map[string]uint64{}
	b, _ := os.ReadFile(path)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 {
			if n, err := strconv.ParseUint(f[1], 10, 53); err == nil {
				out[f[0]] = n
			}
		}
	}
	return out
}

func number(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}
