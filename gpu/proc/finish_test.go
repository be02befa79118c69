// SPDX-License-Identifier: Apache-2.0

//go:build linux

package proc

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A worker whose requests end may end by itself, must be killed, or does not even die
// then: the node goes on in every case.
func TestGPU07TheEndOfAWorkerIsNotWaitedForForever(t *testing.T) {
	for _, c := range []struct {
		name         string
		itself, dies bool
		killed, gone bool
		takes        time.Duration
	}{
		{"it ends by itself", true, true, false, true, 0},
		{"it is killed", false, true, true, true, grace},
		{"its driver keeps it from dying", false, false, true, false, patience},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var killed atomic.Bool
				ended := make(chan struct{})
				if c.itself {
					close(ended)
				}
				start := time.Now()
				gone := finish(ended, func() {
					killed.Store(true)
					if c.dies {
						close(ended)
					}
				})
				if took := time.Since(start); gone != c.gone || killed.Load() != c.killed || took != c.takes {
					t.Errorf("gone %v, killed %v, after %v", gone, killed.Load(), took)
				}
			})
		})
	}
}
