// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openledger/openledger/testnet/compare/peer"
)

const peerNode = "peer-node"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == peerNode {
		return peer.RunNode(ctx, args[1])
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	return compare(ctx, o)
}

// options of one comparison.
type options struct {
	binary   string
	pairs    int
	window   time.Duration
	rates    []int
	most     int // the knee is sought up to here
	senders  int
	basePort int
	quiet    float64 // cores of other work that spoil a pair
	only     map[string]bool
	dir      string
	markdown string
	raw      string
}

// steps a comparison can be cut down to.
const allSteps = "certificates,votes,pairs,default,idle,dead,slow,knee,profile"

func parse(args []string) (options, error) {
	var o options
	var rates, only string
	var secs float64
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.StringVar(&o.binary, "binary", "../../bin/openledger", "the built program")
	f.IntVar(&o.pairs, "pairs", 5, "interleaved pairs of runs")
	f.Float64Var(&secs, "secs", 30, "measured seconds of a run, after 4 s that do not count")
	f.StringVar(&rates, "rates", "500,2000", "transfers per second of the pairs; the first is the one of the targets")
	f.IntVar(&o.most, "most", 20_000, "highest rate of the search for the knee")
	f.IntVar(&o.senders, "senders", 4_000, "accounts that send")
	f.IntVar(&o.basePort, "base-port", 15_100, "first port; 300 above it are used")
	f.Float64Var(&o.quiet, "quiet", 0.1, "cores of other work above which a pair is discarded")
	f.StringVar(&only, "only", allSteps, "steps to run")
	f.StringVar(&o.dir, "dir", "", "folder of the networks (default: a temporary one)")
	f.StringVar(&o.markdown, "markdown", "", "write the report to this file")
	f.StringVar(&o.raw, "raw", "", "write each run as a JSON line to this file")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.window = time.Duration(secs * float64(time.Second))
	o.only = map[string]bool{}
	for _, s := range strings.Split(only, ",") {
		if !strings.Contains(","+allSteps+",", ","+s+",") {
			return o, fmt.Errorf("no step %q; there are %s", s, allSteps)
		}
		o.only[s] = true
	}
	for _, s := range strings.Split(rates, ",") {
		r, err := strconv.Atoi(s)
		if err != nil || r < 20 || r%20 != 0 {
			return o, fmt.Errorf("rate %q: a multiple of 20", s)
		}
		o.rates = append(o.rates, r)
	}
	if o.pairs < 1 || o.window < time.Second || o.senders%20 != 0 || o.senders < 200 {
		return o, errors.New("at least one pair, one second, and 200 senders by twenties")
	}
	return o, nil
}

// batchOf is how many transfers go into one request: one at a time, as single
// users do, tens and twenties at rates that only services send (CONS-70 (7)).
func batchOf(rate int) int {
	switch {
	case rate < 1_000:
		return 1
	case rate < 3_000:
		return 10
	}
	return 20
}
