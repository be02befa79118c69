// SPDX-License-Identifier: Apache-2.0

package accuse_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/openledger/openledger/consensus/coretest"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/node/accuse"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/store"
)

// ledger builds a ledger on disk and closes it.
func ledger(t *testing.T, w *chaintest.World, build func(c *chain.Chain)) string {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(dir, store.Options{CacheMiB: 16})
	if err != nil {
		t.Fatal(err)
	}
	build(w.Open(s))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, dir string) *store.Reader {
	t.Helper()
	r, err := store.OpenRead(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// extend commits blocks of the given views, signed by signers, each with its own
// Finalization unless the last alone has one.
func extend(t *testing.T, w *chaintest.World, c *chain.Chain, signers []int, lastOnly bool, views ...uint64) {
	t.Helper()
	w.Signers = signers
	var list []*chain.Block
	parent := w.Head(c)
	for _, v := range views {
		b := w.Child(parent, v)
		roots, err := c.Execute(b)
		if err != nil {
			t.Fatal(err)
		}
		list, parent = append(list, b), chaintest.Parent{Header: *b.Header(), Roots: roots}
	}
	last := w.Finalize(list[len(list)-1])
	for _, b := range list {
		fin := last
		if !lastOnly {
			fin = w.Finalize(b)
		}
		if _, err := c.Decide(b.Hash, b.Header().Height, fin, nil, b.Leaves...); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForkOfTwoLedgers builds pairs of ledgers of four equal validators that
// share three blocks. Validators 0 and 1 sign on both sides.
func TestForkOfTwoLedgers(t *testing.T) {
	left, right := []int{0, 1, 2}, []int{0, 1, 3}
	for _, c := range []struct {
		name string
		a, b func(t *testing.T, w *chaintest.World, c *chain.Chain)
		kind evidence.Kind
	}{
		{"one side skipped the view of the other", grow(left, false, 4), grow(right, false, 5), evidence.NullifyFinalize},
		{"blocks that only a later one proves", grow(left, true, 4, 5, 6), grow(right, true, 7, 9), evidence.NullifyFinalize},
		{"the view was notarized for another block", grow(left, false, 5, 6), grow(right, true, 4, 5, 6, 7), evidence.NotarizeFinalize},
		{"two blocks of one view", grow(left, false, 4), func(t *testing.T, w *chaintest.World, c *chain.Chain) {
			w.Signers = right
			b := w.Final(c, w.Transfer(0, 1, 5))
			if _, err := c.Commit(b); err != nil {
				t.Fatal(err)
			}
		}, evidence.DoubleFinalize},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := chaintest.New(t, 4, 2)
			side := func(f func(*testing.T, *chaintest.World, *chain.Chain)) *store.Reader {
				return open(t, ledger(t, w, func(ch *chain.Chain) {
					extend(t, w, ch, nil, false, 1, 2, 3)
					f(t, w, ch)
				}))
			}
			a, b := side(c.a), side(c.b)
			sets, err := accuse.Sets(a)
			if err != nil {
				t.Fatal(err)
			}
			for _, pair := range [][2]*store.Reader{{a, b}, {b, a}} {
				v, err := accuse.Fork(pair[0], pair[1], sets)
				if err != nil || !v.Forked || v.Height != 4 {
					t.Fatalf("%+v, %v", v, err)
				}
				var who []int
				for _, g := range v.Guilty {
					who = append(who, g.Index)
					if g.Kind != c.kind {
						t.Errorf("validator %d for %v, want %v", g.Index, g.Kind, c.kind)
					}
				}
				if !slices.Equal(who, []int{0, 1}) || v.Power != 2 {
					t.Errorf("guilty %v of power %d", who, v.Power)
				}
			}
			if v, err := accuse.Fork(a, b, nil); !errors.Is(err, accuse.ErrSet) || !v.Forked {
				t.Errorf("without a set: %+v, %v", v, err)
			}
		})
	}
}

func grow(signers []int, lastOnly bool, views ...uint64) func(*testing.T, *chaintest.World, *chain.Chain) {
	return func(t *testing.T, w *chaintest.World, c *chain.Chain) { extend(t, w, c, signers, lastOnly, views...) }
}

func TestLedgersThatDoNotFork(t *testing.T) {
	w, other := chaintest.New(t, 4, 2), chaintest.NewAt(t, 4, 2, chaintest.GenesisMS+1)
	short := open(t, ledger(t, w, func(c *chain.Chain) { extend(t, w, c, nil, false, 1, 2) }))
	long := open(t, ledger(t, w, func(c *chain.Chain) { extend(t, w, c, nil, false, 1, 2, 4, 5) }))
	alien := open(t, ledger(t, other, func(c *chain.Chain) { extend(t, other, c, nil, false, 1) }))
	if v, err := accuse.Fork(short, long, nil); err != nil || v.Forked || v.Height != 2 {
		t.Errorf("a chain and its beginning: %+v, %v", v, err)
	}
	if v, err := accuse.Fork(long, alien, nil); !errors.Is(err, accuse.ErrUnrelated) || v.Forked {
		t.Errorf("two networks: %+v, %v", v, err)
	}
}

// TestForkWithoutRecords: the later side did not keep its justification.
func TestForkWithoutRecords(t *testing.T) {
	w := chaintest.New(t, 4, 2)
	a := open(t, ledger(t, w, func(c *chain.Chain) { extend(t, w, c, nil, false, 1, 2) }))
	b := open(t, ledger(t, w, func(c *chain.Chain) {
		extend(t, w, c, nil, false, 1)
		blk := w.Child(w.Head(c), 3)
		blk.Leaves, blk.Finalization = nil, w.Finalize(blk)
		if _, err := c.Commit(blk); err != nil {
			t.Fatal(err)
		}
	}))
	if v, err := accuse.Fork(a, b, []*valset.Set{w.Set}); !errors.Is(err, accuse.ErrRecords) || !v.Forked {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestForkOfASimulatedNetwork lets more than f collude until two honest nodes
// have decided different blocks, writes what each of them holds into a ledger on
// disk, and names the guilty from these two folders alone.
func TestForkOfASimulatedNetwork(t *testing.T) {
	forks := 0
	for seed := uint64(0); seed < 40 && forks < 4; seed++ {
		s := coretest.New(coretest.DrawOver(seed), seed)
		if err := s.Run(); err != nil {
			t.Fatal(err)
		}
		na, nb := s.Forked()
		if na == nil {
			continue
		}
		forks++
		a, b := open(t, written(t, na.Chain())), open(t, written(t, nb.Chain()))
		v, err := accuse.Fork(a, b, []*valset.Set{s.Set()})
		if err != nil || !v.Forked || v.Power <= s.Set().Faulty() {
			t.Fatalf("seed %d: power %d, f is %d, %v", seed, v.Power, s.Set().Faulty(), err)
		}
		for _, g := range v.Guilty {
			if s.Honest(g.Index) {
				t.Errorf("seed %d: honest %d is accused of %v", seed, g.Index, g.Kind)
			}
		}
	}
	if forks == 0 {
		t.Error("no seed forked")
	}
}

// written puts final blocks into a ledger on disk, without their state.
func written(t *testing.T, blocks []coretest.Final) string {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(dir, store.Options{CacheMiB: 16})
	if err != nil {
		t.Fatal(err)
	}
	for i := range blocks {
		b := store.Batch{
			Height: uint64(i), HeaderHash: blocks[i].Header.Hash(), Body: []byte{0x80},
			HeaderAndCert: chain.EncodeHeaderCert(&blocks[i].Header, blocks[i].Finalization, nil),
		}
		if len(blocks[i].Leaves) > 0 {
			b.Justification = enc.Encode(blocks[i].Leaves)
		}
		if err := s.Commit(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCONS52AForkThatOnlyACarrierMadeFinalIsProved: one side goes on after the third
// block, the other ends the epoch there, and what is final there is the second
// carrier above its seal.
func TestCONS52AForkThatOnlyACarrierMadeFinalIsProved(t *testing.T) {
	for name, x := range map[string]struct {
		views []uint64 // of the first side
		seal  uint64   // view of the seal
		kind  evidence.Kind
	}{
		"the seal skipped the view of the other block":        {[]uint64{4}, 5, evidence.NullifyFinalize},
		"the view of the seal was that of the other block":    {[]uint64{4}, 4, evidence.NotarizeFinalize},
		"the view of a carrier was that of the other block":   {[]uint64{5}, 4, evidence.NotarizeFinalize},
		"the other block's view comes after all the carriers": {[]uint64{9}, 4, evidence.NullifyFinalize},
	} {
		t.Run(name, func(t *testing.T) {
			w := chaintest.New(t, 4, 2)
			left, right := []int{0, 1, 2}, []int{0, 1, 3}
			a := open(t, ledger(t, w, func(c *chain.Chain) { extend(t, w, c, nil, false, 1, 2, 3); extend(t, w, c, left, true, x.views...) }))
			b := open(t, ledger(t, w, func(c *chain.Chain) {
				extend(t, w, c, nil, false, 1, 2, 3)
				w.Signers = right
				if _, err := c.Commit(w.SealAt(c, x.seal, 2)); err != nil {
					t.Fatal(err)
				}
			}))
			for _, pair := range [][2]*store.Reader{{a, b}, {b, a}} {
				v, err := accuse.Fork(pair[0], pair[1], []*valset.Set{w.Set})
				if err != nil || !v.Forked || v.Height != 4 || v.Power != 2 {
					t.Fatalf("%+v, %v", v, err)
				}
				for i, g := range v.Guilty {
					if g.Index != i || g.Kind != x.kind {
						t.Errorf("validator %d for %v, want %v", g.Index, g.Kind, x.kind)
					}
				}
			}
		})
	}
}
