// SPDX-License-Identifier: Apache-2.0

package sync_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/node/sync"
)

// sealed is a chain of three epochs and a few blocks; the first seal is proved by
// carriers.
func sealed(t *testing.T) (*chaintest.World, *chain.Chain) {
	t.Helper()
	w := chaintest.New(t, 4, 2)
	c := w.Open(store.OpenMemory())
	for n := 2; n >= 0; n-- {
		w.Grow(c, 10)
		if _, err := c.Commit(w.Seal(c, n)); err != nil {
			t.Fatal(err)
		}
	}
	w.Grow(c, 4)
	return w, c
}

// TestSyncAcrossEpochs: each epoch is checked with the set that the seal before it
// names, and a follower that is elected stops following.
func TestSyncAcrossEpochs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, from := sealed(t)
		c := w.Open(store.OpenMemory())
		s := sync.New(sync.Config{Chain: c, Source: sources(37, &server{chain: from})})
		if err := s.Follow(t.Context(), func() bool { return c.Set().Epoch() == 3 }); err != nil || c.Head() != from.Head() {
			t.Fatalf("height %d of %d, %v", c.Head().Height, from.Head().Height, err)
		}
		a, err1 := from.EpochStart()
		b, err2 := c.EpochStart()
		if err := errors.Join(err1, err2); err != nil || a.Header.Hash() != b.Header.Hash() || string(a.Proof) != string(b.Proof) {
			t.Fatalf("another start of the epoch: %v", err)
		}
	})
}

func TestLiesAboutSeals(t *testing.T) {
	for name, lie := range map[string]func(w *chaintest.World, b []sync.Block) []sync.Block{
		"a seal whose proof lacks a carrier": func(_ *chaintest.World, b []sync.Block) []sync.Block {
			b[len(b)-1].Carriers = b[len(b)-1].Carriers[:1]
			return b
		},
		"a seal without the leaves of its carriers": func(_ *chaintest.World, b []sync.Block) []sync.Block {
			last := &b[len(b)-1]
			last.Leaves = last.Leaves[:1]
			return b
		},
		"a seal without leaves": func(_ *chaintest.World, b []sync.Block) []sync.Block {
			b[len(b)-1].Leaves = nil
			return b
		},
		"a seal without a certificate": func(_ *chaintest.World, b []sync.Block) []sync.Block {
			b[len(b)-1].Final = nil
			return b
		},
		"a block after the seal": func(w *chaintest.World, b []sync.Block) []sync.Block {
			return append(b, b[0])
		},
		"a carrier as a block": func(_ *chaintest.World, b []sync.Block) []sync.Block {
			last := b[len(b)-1]
			return append(b[:len(b)-1], sync.Block{Header: last.Carriers[0], Final: last.Final})
		},
		"carriers on a normal block": func(_ *chaintest.World, b []sync.Block) []sync.Block {
			b[0].Carriers = []header.Header{b[1].Header}
			return b
		},
		"a block of another epoch": func(_ *chaintest.World, b []sync.Block) []sync.Block {
			b[0].Header.Epoch++
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, from := sealed(t)
				p := sources(37, &server{chain: from, change: func(q sync.Request, b []sync.Block) []sync.Block {
					if q.From != 1 {
						return nil
					}
					return lie(w, b)
				}})
				c, err := fetch(t, w, p)
				if p.punished["0"] >= 0 {
					t.Fatalf("not punished: %v, height %d", err, c.Head().Height)
				}
				if c.Head().Height > 11 {
					t.Fatalf("height %d was believed", c.Head().Height)
				}
			})
		})
	}
}

// TestCONS47APeerThatGaveUpBlocksIsPassedOver, and not punished for it.
func TestCONS47APeerThatGaveUpBlocksIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := chaintest.New(t, 4, 2)
		w.Doc.Params.Staking.UnbondingMS = 1
		w.ID = w.Doc.ChainID()
		whole, short := w.Open(store.OpenMemory()), w.Open(store.OpenMemory())
		for range 4 {
			w.Grow(whole, 10)
			if _, err := whole.Commit(w.Seal(whole, 0)); err != nil {
				t.Fatal(err)
			}
		}
		follower := sync.New(sync.Config{Chain: short, Source: sources(44, &server{chain: whole})})
		if err := follower.Follow(t.Context(), func() bool { return short.Head() == whole.Head() }); err != nil {
			t.Fatal(err)
		}
		if err := short.Store().Prune(1); err != nil {
			t.Fatal(err)
		}
		if _, err := short.Forget(math.MaxUint64); err != nil || short.Store().Oldest() < 20 {
			t.Fatalf("blocks from %d on, %v", short.Store().Oldest(), err)
		}
		alone := sources(44, &server{chain: short})
		if c, err := fetch(t, w, alone); !errors.Is(err, sync.ErrPeers) || !strings.Contains(err.Error(), "from height") || c.Head().Height != 0 || alone.punished["0"] != 0 || len(alone.short) != 0 {
			t.Errorf("height %d, punished %v, short %v, %v", c.Head().Height, alone.punished, alone.short, err)
		}
		both := sources(44, &server{chain: short}, &server{chain: whole})
		if c, err := fetch(t, w, both); err != nil || c.Head() != whole.Head() || both.punished["0"] != 0 {
			t.Errorf("height %d, punished %v, %v", c.Head().Height, both.punished, err)
		}
	})
}
