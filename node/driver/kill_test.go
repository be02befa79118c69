// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/disktest"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/node/votelog"
)

var kills = flag.Int("kills", 20, "how often TestCONS63KilledAtRandomPointsUnderLoad kills a validator")

// machine is the disks of a validator whose log is the real one.
type machine struct {
	wal, keys *disktest.Disk
}

// guardFile is a guard on a disk that fails.
type guardFile struct{ d *disktest.Disk }

func (g guardFile) Read() ([]byte, error) {
	b, err := g.d.Read("guard")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(b), err
}

func (g guardFile) Replace(b []byte) error { return g.d.Replace("guard", b) }

// open reads log and guard. No crash makes them look lost.
func (m *machine) open(x *node, cfg *Config) {
	l, c, err := votelog.Open(votelog.Config{Files: m.wal, Guard: guardFile{m.keys}, ID: keystore.GuardID{Key: x.n.w.Votes[x.index].Public()}})
	if err != nil {
		x.n.t.Fatalf("validator %d after a crash: %v", x.index, err)
	}
	cfg.WAL, cfg.Records, cfg.Batches, cfg.Core.NoSignUpTo = l, c.Records, c.Batches, l.Bound(cfg.Core.Set.Epoch())
}

// killer kills validators of a network under load.
type killer struct {
	*network
	r    *rand.Rand
	sent []tx.Verified
}

// load submits new transfers while not too many wait, and again those that pools
// which were killed may have lost.
func (k *killer) load() {
	k.mu.Lock()
	k.sent = slices.DeleteFunc(k.sent, func(t tx.Verified) bool { return k.executed[t.ID()] })
	k.mu.Unlock()
	if len(k.sent) < 60 {
		k.sent = append(k.sent, k.transfers(3)...)
	}
	for _, x := range k.nodes {
		if d := x.up(); d != nil {
			for _, t := range k.sent {
				_ = x.pool.Add(t) // known, or one before it is not there yet
			}
			d.Wake()
		}
	}
}

// kill takes down some validators at a random operation of their disks, or at a
// random moment, then restarts them: after kill -9 with all that was written, after
// a power loss without what was not synced, the database as it was at its last
// Sync.
func (k *killer) kill() (victims int) {
	victims = []int{1, 1, 1, 2, 4}[k.r.IntN(5)]
	power := k.r.IntN(2) == 0
	list := k.r.Perm(len(k.nodes))[:victims]
	for _, i := range list {
		m := k.nodes[i].machine
		if k.r.IntN(10) == 0 {
			m.keys.Plan(1)
		}
		m.wal.Plan(1 + k.r.IntN(400))
	}
	for end := time.Now().Add(time.Duration(300+k.r.IntN(1_700)) * time.Millisecond); time.Now().Before(end); {
		k.load()
		time.Sleep(time.Duration(20+k.r.IntN(60)) * time.Millisecond)
	}
	for _, i := range list {
		x := k.nodes[i]
		x.machine.wal.Kill()
		x.machine.keys.Kill()
		x.stop()
	}
	for _, i := range list {
		k.nodes[i].reboot(power, k.r)
	}
	return victims
}

// reboot starts a validator again that is down.
func (x *node) reboot(power bool, r *rand.Rand) {
	m := x.machine
	if power {
		m.wal.LosePower()
		m.keys.LosePower()
		least := 0
		for i, b := range x.blocks {
			if b.Header().View <= x.safe {
				least = i + 1
			}
		}
		x.putBack(x.blocks[:least+r.IntN(2)*r.IntN(len(x.blocks)-least+1)])
	} else {
		m.wal.Revive()
		m.keys.Revive()
	}
	x.start()
}

// putBack makes a database that holds these blocks alone.
func (x *node) putBack(kept []*chain.Block) {
	x.chain = x.n.w.Open(store.OpenMemory())
	for _, b := range kept {
		again := *b
		if _, err := x.chain.Commit(&again); err != nil {
			x.n.t.Fatal(err)
		}
	}
	x.blocks = append([]*chain.Block(nil), kept...)
}

// TestCONS63KilledAtRandomPointsUnderLoad kills validators, alone, in pairs and all
// at once, while transfers flow. Nobody ever signs twice, and whatever was final on
// any node at any time is final on all nodes at the end.
func TestCONS63KilledAtRandomPointsUnderLoad(t *testing.T) {
	const perNetwork = 20
	done, blocks, words := 0, 0, 0
	for seed := uint64(1); done < *kills; seed++ {
		simulate(t, func(t *testing.T) {
			n := newNetwork(t, 4, seed)
			k := &killer{network: n, r: rand.New(rand.NewPCG(seed, 99))}
			for i, x := range n.nodes {
				x.machine = &machine{wal: disktest.New(rand.New(rand.NewPCG(seed, uint64(i)))), keys: disktest.New(rand.New(rand.NewPCG(seed, 10+uint64(i))))}
			}
			n.start()
			for here := 0; here < perNetwork && done < *kills; {
				v := k.kill()
				here, done = here+v, done+v
			}
			top := 0
			for h := range n.finals {
				top = max(top, int(h))
			}
			for range 3 {
				k.load()
				time.Sleep(time.Second)
			}
			for _, x := range n.nodes {
				if !x.await(top+1, 2*time.Minute) {
					t.Fatalf("seed %d: validator %d does not get above height %d", seed, x.index, top)
				}
			}
			n.stop()
			if least := n.agree(); int(least) < top {
				t.Fatalf("seed %d: %d blocks were final, %d are left", seed, top, least)
			}
			for h := 1; h <= top; h++ {
				if got, _, err := n.nodes[0].chain.Header(uint64(h)); err != nil || got.Hash() != n.finals[uint64(h)] {
					t.Fatalf("seed %d: the final block of height %d is lost, %v", seed, h, err)
				}
			}
			blocks += top
			for _, said := range n.said {
				words += len(said)
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills, %d final blocks, %d signatures", done, blocks, words)
}
