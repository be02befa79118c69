// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/seals"
	"github.com/openledger/openledger/node/snapshot"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/rpc/api"
)

// `make join` runs TestNODE12AFreshNodeJoinsALongChain with 100,000 blocks.
var (
	joinBlocks = flag.Uint64("join-blocks", 500, "length of the chain that a fresh node joins")
	joinPeople = flag.Int("join-people", 50, "accounts of that chain")
)

// long is a chain that was made, not voted: the homes of servers hold it.
type long struct {
	*chaintest.World
	blocks, epoch uint64
	last          *chain.Block // the newest seal
	made          time.Duration
}

// makeLong builds the chain in homes, each with the seals and last snapshots.
func makeLong(t testing.TB, genesisMS, blocks, epoch uint64, people, homes int) (*long, []string) {
	t.Helper()
	start := time.Now()
	l := &long{World: chaintest.NewAt(t, 4, people, genesisMS), blocks: blocks, epoch: epoch}
	l.Doc.Params.Staking.UnbondingMS = 3 * hourMS
	l.ID = l.Doc.ChainID()
	home := filepath.Join(t.TempDir(), "server")
	s, err := store.Open(home, store.Options{CacheMiB: 64})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Open(s)
	shelf, err := snapshot.Open(filepath.Join(home, "snapshots"), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{chain: c, past: past{seals: seals.NewBook(s.Local())}}
	l.Long(c, chaintest.Long{Blocks: blocks, Epoch: epoch, Txs: 4, Every: 2, Sealed: func(b *chain.Block) {
		l.last = b
		if err := n.keepSeal(b.Header(), b.Finalization, b.Carriers); err != nil {
			t.Fatal(err)
		}
		if err := shelf.Make(t.Context(), b.Header().Height); err != nil {
			t.Fatal(err)
		}
	}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	list := []string{home}
	for i := 1; i < homes; i++ {
		list = append(list, filepath.Join(t.TempDir(), "server"))
		if err := os.CopyFS(list[i], os.DirFS(home)); err != nil {
			t.Fatal(err)
		}
	}
	l.made = time.Since(start)
	return l, list
}

// serve runs a follower on each home and returns where they listen.
func (l *long) serve(t testing.TB, homes []string) (addrs []string) {
	t.Helper()
	for _, home := range homes {
		s := run(t, Config{Home: home, Settings: settings(addrs), Genesis: l.Doc})
		addrs = append(addrs, s.host.Addrs()...)
	}
	return addrs
}

// joining runs a fresh node until it has the whole chain and returns it with the
// time that took, restarts after a snapshot included.
func (l *long) joining(t testing.TB, cfg Config, height uint64) (*Node, time.Duration, int) {
	t.Helper()
	start, restarts := time.Now(), 0
	ctx, cancel := context.WithCancel(context.Background())
	for {
		n, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- n.Run(ctx) }()
		there := make(chan struct{})
		go func() {
			for pause(ctx, 5*time.Millisecond) {
				if n.chain.Head().Height >= height {
					close(there)
					return
				}
			}
		}()
		select {
		case err := <-ended:
			if !errors.Is(err, ErrRestart) {
				t.Fatalf("node stops with %v", err)
			}
			restarts++
		case <-there:
			took := time.Since(start)
			t.Cleanup(func() {
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("node stops with %v", err)
				}
			})
			return n, took, restarts
		case <-time.After(max(patience, time.Duration(height)*20*time.Millisecond)):
			t.Fatalf("height %d of %d", n.chain.Head().Height, height)
		}
	}
}

// TestNODE12AFreshNodeJoinsALongChain lets one fresh node join by snapshot and one
// by blocks, and compares both with the chain.
func TestNODE12AFreshNodeJoinsALongChain(t *testing.T) {
	blocks := *joinBlocks
	epoch := max(blocks/10-1, 20)
	l, homes := makeLong(t, chaintest.GenesisMS, blocks, epoch, *joinPeople, 3)
	t.Logf("%d blocks in epochs of %d, made in %v", blocks, epoch, l.made.Round(time.Millisecond))
	addrs := l.serve(t, homes)
	base := Config{Settings: settings(addrs), Genesis: l.Doc}

	by := base
	by.Home, by.Settings.Sync.SnapshotLag = t.TempDir(), epoch
	a, took, restarts := l.joining(t, by, blocks)
	seal := l.last.Header()
	if restarts != 1 || a.store.Base().Height != seal.Height-1 {
		t.Errorf("%d restarts, the ledger begins at height %d, want %d", restarts, a.store.Base().Height, seal.Height-1)
	}
	t.Logf("by snapshot: %v, %d blocks after it", took.Round(time.Millisecond), blocks-seal.Height+1)

	all := base
	all.Home, all.Settings.Sync.SnapshotLag = t.TempDir(), 0
	before := cpu(t)
	b, took, _ := l.joining(t, all, blocks)
	rate := float64(blocks) / took.Seconds()
	t.Logf("by blocks: %v, %.0f blocks/s, %.1f × the live rate of 20 blocks/s, %.1f × that of 50; %v of processor per block, serving included",
		took.Round(time.Millisecond), rate, rate/20, rate/50, ((cpu(t) - before) / time.Duration(blocks)).Round(time.Microsecond))
	if x, y := a.chain.Head(), b.chain.Head(); x.Root.Hash != y.Root.Hash || x.HeaderHash != y.HeaderHash {
		t.Errorf("heads differ: %x %x", x.Root.Hash, y.Root.Hash)
	}
	if err := a.store.Check(true); err != nil {
		t.Error(err)
	}
	for _, n := range []*Node{a, b} {
		got, err := n.ChainSeals(t.Context(), api.SealsParams{Count: 2})
		if err != nil || len(got.Items) != 2 {
			t.Errorf("%d seals, %v", len(got.Items), err)
		}
		if _, err := n.ChainProof(t.Context(), api.ProofParams{Key: []byte{1}}); err != nil {
			t.Errorf("proof: %v", err)
		}
	}
}

// cpu is what this process has used of processors so far.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

const hourMS = 3_600_000

// trusting is the configuration of a fresh node that trusts a block of l.
func (l *long) trusting(t testing.TB, addrs []string, height uint64, hash [32]byte, lag uint64) Config {
	cfg := Config{Home: t.TempDir(), Settings: settings(addrs), Genesis: l.Doc}
	cfg.Settings.Sync.Trust, cfg.Settings.Sync.SnapshotLag = fmt.Sprintf("%d:%x", height, hash), lag
	return cfg
}

func TestNODE12ATrustedBlockIsHeldAgainstTheChain(t *testing.T) {
	l, homes := makeLong(t, uint64(time.Now().UnixMilli())-hourMS, 120, 30, 3, 2)
	addrs := l.serve(t, homes[:1])
	at := l.last.Header().Height
	for _, lag := range []uint64{0, 30} {
		n, _, restarts := l.joining(t, l.trusting(t, addrs, at, l.last.Hash, lag), 120)
		if err := n.checkTrust(); err != nil || restarts != int(min(lag, 1)) {
			t.Errorf("%d restarts, %v", restarts, err)
		}
	}
	// A home that has the chain already, and an operator who trusts another one.
	other := l.last.Hash
	other[3] ^= 1
	cfg := l.trusting(t, addrs, at, other, 0)
	cfg.Home = homes[1]
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Run(within(t)); !errors.Is(err, ErrTrust) {
		t.Errorf("a chain without the trusted block: %v", err)
	}
}

func TestNODE12AChainThatPassesTheTrustedHeightWithAnotherBlockStopsTheNode(t *testing.T) {
	l, homes := makeLong(t, uint64(time.Now().UnixMilli())-hourMS, 120, 30, 3, 1)
	cfg := Config{Home: homes[0], Settings: settings(nil), Genesis: l.Doc}
	cfg.Settings.Sync.Trust = fmt.Sprintf("121:%x", l.last.Hash)
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.release(); err != nil {
			t.Error(err)
		}
	})
	h := *l.last.Header()
	h.Height, h.TimeMS = 121, h.TimeMS+1
	n.passing(&h)
	select {
	case err := <-n.failed:
		if !errors.Is(err, ErrTrust) {
			t.Error(err)
		}
	default:
		t.Error("the node goes on")
	}
}

func TestCONS49AnOldTrustedBlockIsRefused(t *testing.T) {
	l, homes := makeLong(t, uint64(time.Now().UnixMilli())-4*hourMS, 120, 30, 3, 1)
	addrs := l.serve(t, homes)
	n, err := New(l.trusting(t, addrs, l.last.Header().Height, l.last.Hash, 30))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Run(within(t)); !errors.Is(err, cert.ErrTrustExpired) {
		t.Errorf("%v", err)
	}
}

func TestTrustIsHeightAndHash(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	if c, err := ParseTrust("7:0x" + hash); err != nil || c.Height != 7 || c.Hash[31] != 0xab {
		t.Errorf("%v %v", c, err)
	}
	for _, s := range []string{"", "7", "7:", ":" + hash, "0:" + hash, "x:" + hash, "7:" + hash[1:], "7:" + hash + "ab"} {
		if _, err := ParseTrust(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

// TestCONS47ANodeThatPeersHaveForgottenJoinsBySnapshot although it is not far behind:
// the peers have given up the blocks that follow its head, and say so by RPC too.
func TestCONS47ANodeThatPeersHaveForgottenJoinsBySnapshot(t *testing.T) {
	l, homes := makeLong(t, uint64(time.Now().UnixMilli())-hourMS, 3_000, 100, 3, 1)
	n, err := New(Config{Home: homes[0], Settings: settings(nil), Genesis: l.Doc})
	if err != nil {
		t.Fatal(err)
	}
	if freed, err := n.dropHistory(1); freed != 0 || err != nil || n.store.Oldest() != 0 {
		t.Fatalf("inside the window of evidence: %d bytes from height %d on, %v", freed, n.store.Oldest(), err)
	}
	if _, err := n.store.Forget(1_900, 1<<40, func([]byte) ([][32]byte, error) { return nil, nil }); err != nil || n.store.Oldest() != 1_900 {
		t.Fatalf("blocks from %d on, %v", n.store.Oldest(), err)
	}
	for _, err := range []error{second(n.ChainBlock(t.Context(), api.HeightParams{Height: 1_000})), second(n.ChainHeader(t.Context(), api.HeightParams{Height: 5})),
		second(n.ChainEvents(t.Context(), api.EventsParams{From: api.Cursor{Height: 7}}))} {
		var e *api.Error
		if !errors.As(err, &e) || e.Code != api.CodePruned || !strings.Contains(e.Message, "from height 1900 on") {
			t.Errorf("a height that was given up: %v", err)
		}
	}
	if err := n.release(); err != nil {
		t.Fatal(err)
	}
	addrs := l.serve(t, homes)
	cfg := Config{Home: t.TempDir(), Settings: settings(addrs), Genesis: l.Doc}
	cfg.Settings.Sync.SnapshotLag = 20_000
	got, _, restarts := l.joining(t, cfg, 3_000)
	if restarts != 1 || got.store.Base().Height != l.last.Header().Height-1 {
		t.Errorf("%d restarts, the ledger begins at height %d", restarts, got.store.Base().Height)
	}
}

func second[T any](_ T, err error) error { return err }
