// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/testnet/localnet"
)

var (
	faultSeconds = flag.Float64("fault-seconds", 1, "how long each network fault lasts")
	pauseSeconds = flag.Float64("pause-seconds", 1, "how long a process stands still")
	labSeed      = flag.Uint64("seed", 1, "of lost and delayed frames")
)

// labNet is a network of which every node has a namespace, and a clock that the
// test can set wrong.
type labNet struct {
	*localnet.Network
	lab *lab
	t   *testing.T
}

// faultyNetwork starts n validators in a lab; nil where there can be none.
func faultyNetwork(t *testing.T, n int) *labNet {
	t.Helper()
	l := newLab(t, n, *labSeed)
	if l == nil {
		return nil
	}
	base := *basePort + 200
	tr, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		t.Fatal("the default transport is another one")
	}
	old := tr.DialContext
	tr.DialContext, tr.MaxIdleConnsPerHost = l.dial(base), 256
	t.Cleanup(func() { tr.CloseIdleConnections(); tr.DialContext = old })
	dir := t.TempDir()
	accounts := map[string]fixed.Amount{}
	for i := range *senders {
		accounts[name(i)] = 10_000 * fixed.OPEN
	}
	net, err := localnet.Create(localnet.Options{Dir: filepath.Join(dir, "net"), Program: build(t, "-tags", "clockshift"),
		Validators: n, BasePort: base, Accounts: accounts, NoWork: true, Place: func(i int) (string, []string) {
			return l.hosts[i].addr, []string{"ip", "netns", "exec", l.hosts[i].name, "env", "OPENLEDGER_CLOCK_SHIFT=" + clockFile(dir, i)}
		}})
	must(t, err)
	t.Cleanup(func() {
		if err := net.Down(); err != nil {
			t.Error(err)
		}
	})
	ln := &labNet{Network: net, lab: l, t: t}
	for i := range n {
		ln.shift(i, 0)
	}
	must(t, net.Start(t.Context(), nil))
	return ln
}

func clockFile(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("clock%d", i)) }

// shift sets the clock of a node wrong.
func (n *labNet) shift(i int, d time.Duration) {
	file := clockFile(filepath.Dir(n.Dir), i)
	must(n.t, os.WriteFile(file+".new", []byte(strconv.FormatInt(d.Milliseconds(), 10)), 0o644))
	must(n.t, os.Rename(file+".new", file))
}

func (n *labNet) signal(i int, s syscall.Signal) {
	if err := syscall.Kill(n.Nodes[i].PID, s); err != nil {
		n.t.Error(err)
	}
}

// fault is one thing that goes wrong for a while.
type fault struct {
	name        string
	last        time.Duration
	begin, heal func(n *labNet)
}

// faults are those of CONS-63, one after another. The last node suffers.
func faults(nodes int) []fault {
	last := nodes - 1
	short, pause := time.Duration(*faultSeconds*float64(time.Second)), time.Duration(*pauseSeconds*float64(time.Second))
	heal := func(n *labNet) { n.lab.heal() }
	return []fault{
		{"slow links that lose frames", short, func(n *labNet) {
			n.lab.all(link{delay: 200 * time.Millisecond, jitter: 100 * time.Millisecond, loss: 0.05})
		}, heal},
		{"a node that hears and is not heard", short, func(n *labNet) { n.lab.mute(last) }, heal},
		{"two halves", short, func(n *labNet) { n.lab.split(nodes / 2) }, heal},
		{"a node cut off", short, func(n *labNet) { n.lab.split(last) }, heal},
		{"a process that stands still", pause, func(n *labNet) { n.signal(last, syscall.SIGSTOP) }, func(n *labNet) { n.signal(last, syscall.SIGCONT) }},
		{"a killed process", short, func(n *labNet) { must(n.t, n.Kill(n.Nodes[last].Name)) }, func(n *labNet) { must(n.t, n.Start(n.t.Context(), nil)) }},
		{"a clock 5 s ahead", short, func(n *labNet) { n.shift(last, 5*time.Second) }, func(n *labNet) { n.shift(last, 0) }},
		{"a clock 5 s behind", short, func(n *labNet) { n.shift(last, -5*time.Second) }, func(n *labNet) { n.shift(last, 0) }},
	}
}

// TestFaultsBetweenProcesses runs every fault under load, in real processes that
// talk through a network which this test controls (CONS-63). Every transaction is
// final after healing, on every node, with the same receipt.
func TestFaultsBetweenProcesses(t *testing.T) {
	n := faultyNetwork(t, *validators)
	if n == nil {
		return
	}
	list := faults(*validators)
	total := time.Second
	for _, f := range list {
		total += f.last + f.last/2
	}
	load := loadOn(t, n.Network, min(*rate, 40), total)
	load.Patience = 2 * time.Minute
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, f := range list {
			f.begin(n)
			wait(t.Context(), f.last)
			f.heal(n)
			wait(t.Context(), f.last/2)
			t.Logf("gone through: %s", f.name)
		}
	})
	sent, err := load.Run(t.Context())
	wg.Wait()
	must(t, err)
	for _, s := range sent {
		if s.Final.Status != "final" || s.Final.Receipt.Number != 0 {
			t.Errorf("transaction %v after %d tries: %+v, %v", s.ID, s.Tries, s.Final, s.Err)
		}
	}
	var times []time.Duration
	for _, s := range sent {
		times = append(times, s.Took)
	}
	t.Logf("%d transfers through %d faults, seed %d: %s", len(sent), len(list), *labSeed, quantiles(times))
	top := settled(t, n.Network)
	sameReceipts(t, n.Network, sent)
	sameChain(t, n.Network, top)
	conserved(t, n.Network, sent, load.To)
}
