// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/openledger/openledger/testnet/compare/measure"
	"github.com/openledger/openledger/testnet/compare/ours"
	"github.com/openledger/openledger/testnet/compare/peer"
)

const (
	committee = 100 // validators of the synthetic chain
	segment   = 64  // blocks of one request of sync (CONS-47)
	certRuns  = 3
)

// certStep times the checks of finality in sync, in turns.
func (b *bench) certStep(context.Context) error {
	run, err := ours.Segment(committee, segment)
	if err != nil {
		return err
	}
	list, err := ours.List(committee)
	if err != nil {
		return err
	}
	commit, err := peer.Commit(committee)
	if err != nil {
		return err
	}
	b.certs = measure.Certs{Validators: committee, Segment: segment}
	for range certRuns {
		for _, c := range []struct {
			out    *[]float64
			check  func() error
			blocks int
		}{{&b.certs.Ours, run, segment}, {&b.certs.List, list, 1}, {&b.certs.Peer, commit, 1}} {
			us, err := cpuOf(c.check)
			if err != nil {
				return err
			}
			*c.out = append(*c.out, us/float64(c.blocks))
		}
	}
	fmt.Fprintf(b.say, "certificates, µs of CPU per block of %d validators: %v by segments of %d, %v by lists; cometbft %v\n", committee,
		measure.Summarise(b.certs.Ours), segment, measure.Summarise(b.certs.List), measure.Summarise(b.certs.Peer))
	return nil
}

// cpuOf repeats check for a while and returns microseconds of this process per
// call.
func cpuOf(check func() error) (float64, error) {
	before, err := used()
	if err != nil {
		return 0, err
	}
	n := 0
	for start := time.Now(); time.Since(start) < 400*time.Millisecond; n++ {
		if err := check(); err != nil {
			return 0, err
		}
	}
	after, err := used()
	return float64((after - before).Microseconds()) / float64(n), err
}

func used() (time.Duration, error) {
	var r syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), err
}

// voteStep runs the core's own benchmark of a vote that completes nothing.
func (b *bench) voteStep(ctx context.Context) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/openledger/openledger").Output()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "./consensus", "-run", "^$", "-bench", "^BenchmarkStepVote$", "-benchmem", "-benchtime", "200ms", "-count", "3")
	cmd.Dir = strings.TrimSpace(string(root))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	b.votes, err = measure.ParseBench(string(out))
	fmt.Fprintf(b.say, "a vote through the core: %v\n", b.votes)
	return err
}
