// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// Available is what this machine can give without swapping, in bytes: what Linux says,
// less where the process's control group (version 2) allows less; elsewhere 8 GiB.
func Available() uint64 {
	free := uint64(8 << 30)
	if f, err := os.Open("/proc/meminfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if fields := strings.Fields(s.Text()); len(fields) > 1 && fields[0] == "MemAvailable:" {
				if kib, err := strconv.ParseUint(fields[1], 10, 50); err == nil && kib > 0 {
					free = kib << 10
				}
			}
		}
	}
	most, err1 := number("/sys/fs/cgroup/memory.max")
	used, err2 := number("/sys/fs/cgroup/memory.current")
	if err1 == nil && err2 == nil {
		free = min(free, most-min(used, most))
	}
	return free
}

func number(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}
