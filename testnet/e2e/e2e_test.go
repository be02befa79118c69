// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
	"github.com/openledger/openledger/testnet/localnet"
)

var (
	rate       = flag.Float64("rate", 100, "transfers per second")
	seconds    = flag.Float64("seconds", 4, "seconds of load")
	senders    = flag.Int("senders", 20, "accounts that send")
	validators = flag.Int("validators", 4, "validators")
	basePort   = flag.Int("base-port", 13100, "RPC port of the first node")
	binary     = flag.String("binary", "", "the program; built if empty")
)

// program returns the path of the program under test.
func program(t *testing.T) string {
	t.Helper()
	if *binary != "" {
		return *binary
	}
	return build(t)
}

// build makes the program anew, with more arguments for go build.
func build(t *testing.T, args ...string) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "openledger")
	build := exec.Command("go", append(append([]string{"build"}, args...), "-o", exe, "../../cmd/openledger")...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return exe
}

// network starts a network that ends with the test.
func network(t *testing.T) *localnet.Network {
	t.Helper()
	if tr, ok := http.DefaultTransport.(*http.Transport); ok {
		tr.MaxIdleConnsPerHost = 256
	}
	accounts := map[string]fixed.Amount{}
	for i := range *senders {
		accounts[name(i)] = 10_000 * fixed.OPEN
	}
	n, err := localnet.Create(localnet.Options{Dir: filepath.Join(t.TempDir(), "net"), Program: program(t),
		Validators: *validators, Workers: 1, BasePort: *basePort, Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Down(); err != nil {
			t.Error(err)
		}
	})
	start := time.Now()
	if err := n.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d validators and 1 follower up in %.1f s", *validators, time.Since(start).Seconds())
	return n
}

func name(i int) string { return fmt.Sprintf("sender%d", i) }

// loadOn is a load from all senders on all nodes.
func loadOn(t *testing.T, n *localnet.Network, rate float64, duration time.Duration) Load {
	t.Helper()
	l := Load{Rate: rate, For: duration, To: n.Nodes[0].Account}
	for _, m := range n.Nodes {
		l.Nodes = append(l.Nodes, m.Client())
	}
	for i := range *senders {
		k, err := n.ClientKey(name(i))
		if err != nil {
			t.Fatal(err)
		}
		l.Senders = append(l.Senders, k)
	}
	return l
}

// TestNothingFinalIsLostWhenAValidatorIsKilledUnderLoad sends transfers, kills a
// validator after a third of the time and starts it again after the second.
func TestNothingFinalIsLostWhenAValidatorIsKilledUnderLoad(t *testing.T) {
	n := network(t)
	duration := time.Duration(*seconds * float64(time.Second))
	load := loadOn(t, n, *rate, duration)
	victim := n.Nodes[*validators-1].Name
	var fault sync.WaitGroup
	var catchUp time.Duration
	fault.Go(func() {
		if !wait(t.Context(), duration/3) {
			return
		}
		if err := n.Kill(victim); err != nil {
			t.Error(err)
		}
		if wait(t.Context(), duration/3) {
			catchUp = heal(t, n, victim)
		}
	})
	start := time.Now()
	sent, err := load.Run(t.Context())
	took := time.Since(start)
	fault.Wait()
	if err != nil || t.Failed() {
		t.Fatalf("load: %v", err)
	}
	report(t, sent, took, catchUp)
	top := settled(t, n)
	sameReceipts(t, n, sent)
	sameChain(t, n, top)
	conserved(t, n, sent, load.To)
	t.Logf("memory of all processes: %d MiB", n.RSS()>>20)
	join(t, n, top, len(sent))
}

// join starts a node that has nothing and waits until it has the chain.
func join(t *testing.T, n *localnet.Network, top uint64, txs int) {
	t.Helper()
	home := filepath.Join(t.TempDir(), "late")
	rpc := fmt.Sprintf("127.0.0.1:%d", *basePort+90)
	cmd := exec.Command(n.Program, "node", "--home", home, "--join", n.Join)
	cmd.Env = append(os.Environ(), "OPENLEDGER_RPC_LISTEN="+rpc, "OPENLEDGER_P2P_LISTEN=/ip4/127.0.0.1/tcp/0")
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	c := client.New("http://"+rpc, "")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		s, err := c.NodeStatus(ctx, api.Empty{})
		if err == nil && s.Height >= top {
			break
		}
		if !wait(ctx, 10*time.Millisecond) {
			t.Fatalf("the new node: %+v, %v", s, err)
		}
	}
	t.Logf("a new node started, fetched and executed %d blocks with %d transfers in %.2f s", top, txs, time.Since(start).Seconds())
}

// TestAValidatorThatStoodStillGoesOn stops a process for a while, without killing
// it, and lets it run again.
func TestAValidatorThatStoodStillGoesOn(t *testing.T) {
	n := network(t)
	load := loadOn(t, n, 50, 3*time.Second)
	load.Nodes = load.Nodes[:*validators-1] // nobody waits for the one that stands still
	pid := n.Nodes[*validators-1].PID
	var fault sync.WaitGroup
	fault.Go(func() {
		for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
			if wait(t.Context(), load.For/3) {
				if err := syscall.Kill(pid, sig); err != nil {
					t.Error(err)
				}
			}
		}
	})
	sent, err := load.Run(t.Context())
	fault.Wait()
	if err != nil || t.Failed() {
		t.Fatalf("load: %v", err)
	}
	top := settled(t, n)
	sameReceipts(t, n, sent)
	sameChain(t, n, top)
}

// TestNothingFinalIsLostWhenAllProcessesAreKilledAtOnce and started again.
func TestNothingFinalIsLostWhenAllProcessesAreKilledAtOnce(t *testing.T) {
	n := network(t)
	load := loadOn(t, n, 50, 1500*time.Millisecond)
	var fault sync.WaitGroup
	fault.Go(func() {
		if !wait(t.Context(), load.For/2) {
			return
		}
		for _, m := range n.Nodes {
			if err := n.Kill(m.Name); err != nil {
				t.Error(err)
			}
		}
		if err := n.Start(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
	sent, err := load.Run(t.Context())
	fault.Wait()
	if err != nil || t.Failed() {
		t.Fatalf("load: %v", err)
	}
	for _, s := range sent {
		if s.Final.Status != "final" || s.Final.Receipt.Number != 0 {
			t.Errorf("transaction %v after %d tries: %+v, %v", s.ID, s.Tries, s.Final, s.Err)
		}
	}
	top := settled(t, n)
	sameReceipts(t, n, sent)
	sameChain(t, n, top)
	conserved(t, n, sent, load.To)
}

// heal starts the node again and returns how long it takes until it is not behind
// any more.
func heal(t *testing.T, n *localnet.Network, name string) time.Duration {
	start := time.Now()
	if err := n.Heal(t.Context(), name); err != nil {
		t.Error(err)
		return 0
	}
	m, err := n.Find(name)
	if err != nil {
		t.Error(err)
		return 0
	}
	c, other := m.Client(), n.Nodes[0].Client()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		head, err1 := other.ChainHead(ctx, api.Empty{})
		s, err2 := c.NodeStatus(ctx, api.Empty{})
		if err := errors.Join(err1, err2); err != nil {
			t.Errorf("the healed node: %v", err)
			return 0
		}
		if s.Height+2 >= head.Height {
			return time.Since(start)
		}
		if !wait(ctx, 20*time.Millisecond) {
			t.Errorf("the healed node is at height %d, another at %d", s.Height, head.Height)
			return 0
		}
	}
}

// report prints the figures and fails if a transaction is not final.
func report(t *testing.T, sent []Sent, took, catchUp time.Duration) {
	t.Helper()
	var times []time.Duration
	var thirds [3][]time.Duration
	again, heights := 0, map[uint64]int{}
	for i, s := range sent {
		if s.Final.Status != "final" {
			t.Errorf("transaction %v is not final after %d tries: %v", s.ID, s.Tries, s.Err)
			continue
		}
		if s.Final.Receipt.Number != 0 {
			t.Errorf("transaction %v was refused: %s", s.ID, s.Final.Receipt.Code)
		}
		times = append(times, s.Took)
		thirds[3*i/len(sent)] = append(thirds[3*i/len(sent)], s.Took)
		heights[s.Final.Height]++
		if s.Tries > 1 {
			again++
		}
	}
	t.Logf("%d transfers at %.0f/s, all final after %.1f s (%.0f/s) in %d blocks; %d were submitted more than once",
		len(sent), *rate, took.Seconds(), float64(len(times))/took.Seconds(), len(heights), again)
	t.Logf("submit to final: %s", quantiles(times))
	t.Logf("  all nodes up:     %s", quantiles(thirds[0]))
	t.Logf("  a validator dead: %s", quantiles(thirds[1]))
	t.Logf("  it is back:       %s", quantiles(thirds[2]))
	t.Logf("the killed validator answered and had caught up %.2f s after its start", catchUp.Seconds())
}

func quantiles(list []time.Duration) string {
	if len(list) == 0 {
		return "none"
	}
	slices.Sort(list)
	at := func(q float64) int64 { return list[int(q*float64(len(list)-1))].Milliseconds() }
	return fmt.Sprintf("p50 %d ms, p90 %d ms, p99 %d ms, max %d ms", at(0.5), at(0.9), at(0.99), at(1))
}

// settled waits until every node has the height that the highest one has now.
func settled(t *testing.T, n *localnet.Network) uint64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	top := uint64(0)
	for _, m := range n.Nodes {
		head, err := m.Client().ChainHead(ctx, api.Empty{})
		if err != nil {
			t.Fatalf("%s: %v", m.Name, err)
		}
		top = max(top, head.Height)
	}
	for i := range n.Nodes {
		if err := n.Ready(ctx, &n.Nodes[i], top); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

// sameReceipts asks every node for every transaction.
func sameReceipts(t *testing.T, n *localnet.Network, sent []Sent) {
	t.Helper()
	var wg sync.WaitGroup
	for _, m := range n.Nodes {
		c := m.Client()
		wg.Go(func() {
			for _, s := range sent {
				got, err := c.TxGet(t.Context(), api.TxGetParams{TxID: s.ID})
				want := s.Final
				switch {
				case err != nil:
					t.Errorf("%s lost transaction %v: %v", m.Name, s.ID, err)
				case got.Height != want.Height || got.Index != want.Index || got.Receipt.Code != want.Receipt.Code || got.Receipt.Fee != want.Receipt.Fee:
					t.Errorf("%s has %v at (%d, %d) with %s, reported was (%d, %d) with %s", m.Name, s.ID,
						got.Height, got.Index, got.Receipt.Code, want.Height, want.Index, want.Receipt.Code)
				}
			}
		})
	}
	wg.Wait()
}

// sameChain compares block and state root at every height.
func sameChain(t *testing.T, n *localnet.Network, top uint64) {
	t.Helper()
	first := n.Nodes[0].Client()
	for h := uint64(1); h <= top; h++ {
		want, err := first.ChainHeader(t.Context(), api.HeightParams{Height: h})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range n.Nodes[1:] {
			got, err := m.Client().ChainHeader(t.Context(), api.HeightParams{Height: h})
			if err != nil || got.Hash != want.Hash || got.StateRoot != want.StateRoot {
				t.Fatalf("%s differs at height %d: %v", m.Name, h, err)
			}
		}
	}
	t.Logf("%d nodes have the same %d blocks and roots", len(n.Nodes), top)
}

// conserved counts the money: the receiver has all that was sent, and the supply
// is what the genesis says.
func conserved(t *testing.T, n *localnet.Network, sent []Sent, to keys.Address) {
	t.Helper()
	for _, m := range n.Nodes {
		s, err := m.Client().ChainSupply(t.Context(), api.Empty{})
		if err != nil || !s.Equal {
			t.Errorf("%s: supply %+v, %v", m.Name, s, err)
		}
	}
	want := fixed.Amount(0)
	for i := range sent {
		want += fixed.Amount(1 + i)
	}
	a, err := n.Nodes[0].Client().AccountGet(t.Context(), api.AccountParams{Address: to})
	if err != nil {
		t.Fatal(err)
	}
	if a.Balance < want {
		t.Errorf("the receiver has %v, was sent %v", a.Balance, want)
	}
}
