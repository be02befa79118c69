// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"testing"
)

func TestTheProfilerAnswersOnThisMachineOnly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for addr, ok := range map[string]bool{"127.0.0.1:0": true, "[::1]:0": true, "0.0.0.0:0": false, "10.0.0.1:6060": false, "localhost:0": false, ":6060": false} {
		err := servePprof(ctx, addr)
		if addr == "[::1]:0" && err != nil && ok {
			continue // a machine without IPv6
		}
		if (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
