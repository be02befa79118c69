// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

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
func makeLong(t testing.TB, blocks, epoch uint64, people, homes int) (*long, []string) {
	t.Helper()
	start := time.Now()
	l := &long{World: chaintest.New(t, 4, people), blocks: blocks, epoch: epoch}
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
	l, homes := makeLong(t, blocks, epoch, *joinPeople, 3)
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
	b, took, _ := l.joining(t, all, blocks)
	rate := float64(blocks) / took.Seconds()
	t.Logf("by blocks: %v, %.0f blocks/s, %.1f × the live rate of 20 blocks/s, %.1f × that of 50", took.Round(time.Millisecond), rate, rate/20, rate/50)
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

func TestNODE12ATrustedBlockIsHeldAgainstTheChain(t *testing.T) {
	l, homes := makeLong(t, 120, 30, 3, 1)
	addrs := l.serve(t, homes)
	right, wrong := l.last.Hash, l.last.Hash
	wrong[3] ^= 1
	trusting := func(hash [32]byte) Config {
		cfg := Config{Home: t.TempDir(), Settings: settings(addrs), Genesis: l.Doc}
		cfg.Settings.Sync.Trust, cfg.Settings.Sync.SnapshotLag = fmt.Sprintf("%d:%x", l.last.Header().Height, hash), 0
		return cfg
	}
	good := trusting(right)
	n, _, _ := l.joining(t, good, 120)
	if err := n.checkTrust(); err != nil {
		t.Error(err)
	}
	m, err := New(trusting(wrong))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(within(t)); !errors.Is(err, ErrTrust) {
		t.Errorf("a chain without the trusted block: %v", err)
	}
}
