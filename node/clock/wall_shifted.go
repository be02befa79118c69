// SPDX-License-Identifier: Apache-2.0

//go:build clockshift

package clock

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// shiftFile is the environment variable that names a file with milliseconds by
// which the wall clock of this process is wrong. Only tests are built so.
const shiftFile = "OPENLEDGER_CLOCK_SHIFT"

func wall() uint64 {
	now := time.Now().UnixMilli()
	b, err := os.ReadFile(os.Getenv(shiftFile))
	if err != nil {
		return uint64(now)
	}
	shift, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return uint64(now)
	}
	return uint64(now + shift)
}
