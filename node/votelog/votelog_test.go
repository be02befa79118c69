// SPDX-License-Identifier: Apache-2.0

package votelog_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/node/disktest"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/node/votelog"
)

// beside is a guard file on a disk that fails.
type beside struct {
	d      *disktest.Disk
	frozen bool // a mutant: no lease is ever kept
}

func (b beside) Read() ([]byte, error) {
	x, err := b.d.Read("guard")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	return x, err
}

func (b beside) Replace(x []byte) error {
	if _, err := b.Read(); b.frozen && err == nil {
		return nil
	}
	return b.d.Replace("guard", x)
}

// word is something that a key signs at most once.
type word struct {
	kind        consensus.RecordKind
	epoch, view uint64
}

// signer is a validator that signs what it likes, as often as its log lets it: a
// word that is in the log is repeated, any other is made up anew.
type signer struct {
	t    *testing.T
	rng  *rand.Rand
	disk *disktest.Disk // of the log
	keys *disktest.Disk // of the guard
	// deaf: no peer tells what it has of the key; no older copy within a lease, and the guard stays.
	deaf   bool
	mutant string
	cfg    votelog.Config
	log    *votelog.Log

	epoch, view uint64
	mine        map[word]string // of the log
	out         map[word]string // everything that ever left
	twice       string          // what was signed twice
	top         word            // highest view that left
	final       word            // nothing up to this view is signed any more
	restarts    int
}

func newSigner(t *testing.T, seed uint64, deaf bool, mutant string) *signer {
	rng := rand.New(rand.NewPCG(seed, 3))
	s := &signer{t: t, rng: rng, disk: disktest.New(rng), keys: disktest.New(rng), out: map[word]string{}, epoch: 1}
	s.deaf, s.mutant = deaf, mutant
	s.cfg = votelog.Config{Files: s.disk, Guard: beside{d: s.keys, frozen: mutant == "no lease"}, ID: keystore.GuardID{Machine: "m"}}
	return s
}

// open starts the process: it reads its log, asks the others what they have of it,
// and begins anew if it must.
func (s *signer) open() {
	l, c, err := votelog.Open(s.cfg)
	if err == nil && s.forgot(l, c) {
		l.Close()
		err = &votelog.Lost{Reason: "a peer shows a word that is not in the log"}
	}
	var lost *votelog.Lost
	if errors.As(err, &lost) {
		s.restarts++
		s.disk.Revive()
		s.disk.Plan(1 + s.rng.IntN(200))
		// Others are a little behind, or ahead; they may be in the next epoch.
		epoch, view := s.top.epoch, s.top.view-min(s.top.view, s.rng.Uint64N(votelog.Margin))
		if s.rng.IntN(4) == 0 {
			epoch, view = max(epoch, s.epoch)+1, s.rng.Uint64N(10)
		}
		if _, err = votelog.Restart(s.cfg, max(epoch, 1), view, false); err == nil {
			l, c, err = votelog.Open(s.cfg)
		}
	}
	if errors.Is(err, disktest.ErrCrash) {
		s.log = nil
		return
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.log, s.mine = l, map[word]string{}
	s.view = 1
	for _, r := range c.Records {
		if r.Epoch > s.epoch {
			s.epoch, s.view = r.Epoch, 1
		}
	}
	for _, r := range c.Records {
		if r.Epoch == s.epoch {
			s.view = max(s.view, r.View)
		}
		if r.Kind != consensus.RecordEnter {
			s.mine[word{r.Kind, r.Epoch, r.View}] = string(r.Data)
		}
	}
	if s.top.epoch > s.epoch { // the chain is further
		s.epoch, s.view = s.top.epoch, 1
	}
	if s.final.epoch == s.epoch {
		s.view = max(s.view, s.final.view+1)
	}
}

// forgot reports whether a peer holds a word of the key, in a view that is not yet
// final here, that is not in the log.
func (s *signer) forgot(l *votelog.Log, c votelog.Contents) bool {
	if s.deaf || s.mutant == "no question" {
		return false
	}
	said := map[word]string{}
	for _, r := range c.Records {
		said[word{r.Kind, r.Epoch, r.View}] = string(r.Data)
	}
	for w, data := range s.out {
		if (w.epoch > s.final.epoch || w.epoch == s.final.epoch && w.view > s.final.view) && w.view > l.Bound(w.epoch) && said[w] != data {
			return true
		}
	}
	return false
}

// turn lets the signer enter a view or say something, or the driver trim its log.
func (s *signer) turn() error {
	switch s.rng.IntN(10) {
	case 0:
		s.view += 1 + s.rng.Uint64N(60)
		if s.rng.IntN(30) == 0 {
			s.epoch, s.view = s.epoch+1, 1
		}
		return s.record(consensus.Record{Kind: consensus.RecordEnter, Epoch: s.epoch, View: s.view})
	case 1:
		if s.rng.IntN(5) > 0 {
			return nil
		}
		n, err := s.log.Segment()
		if err != nil || s.rng.IntN(2) == 0 {
			return err
		}
		for w := range s.mine { // the present view is final: nothing of it is needed
			delete(s.mine, w)
		}
		s.final = word{epoch: s.epoch, view: s.view}
		s.view++
		return s.log.Release(n)
	}
	w := word{consensus.RecordNotarize + consensus.RecordKind(s.rng.IntN(3)), s.epoch, s.view}
	if w.view <= s.log.Bound(w.epoch) && s.mutant != "no bound" || w.epoch == s.final.epoch && w.view <= s.final.view {
		return nil
	}
	said, ok := s.mine[w]
	if !ok {
		said = fmt.Sprint(s.rng.Uint64())
		if err := s.record(consensus.Record{Kind: w.kind, Epoch: w.epoch, View: w.view, Data: []byte(said)}); err != nil {
			return err
		}
		s.mine[w] = said
	}
	if err := s.log.Sync(); err != nil {
		return err
	}
	if old, ok := s.out[w]; ok && old != said {
		s.twice = fmt.Sprintf("%+v", w)
	}
	s.out[w] = said
	if w.epoch > s.top.epoch || w.epoch == s.top.epoch && w.view > s.top.view {
		s.top = w
	}
	return nil
}

func (s *signer) record(r consensus.Record) error { return s.log.Append(uint8(r.Kind), r.Encode()) }

// oldLog is a copy of the log, and how far it reached at most.
type oldLog struct {
	image       disktest.Image
	epoch, view uint64
}

// fate is what happens to a validator that is down.
func (s *signer) fate(old *[]oldLog) {
	lose := s.rng.IntN(2) == 0
	for _, d := range []*disktest.Disk{s.disk, s.keys} {
		if lose {
			d.LosePower()
		} else {
			d.Revive()
		}
	}
	*old = append(*old, oldLog{s.disk.Save(), s.epoch, s.view})
	switch s.rng.IntN(8) {
	case 0:
		copy := (*old)[s.rng.IntN(len(*old))]
		g, err := keystore.OpenGuard(s.cfg.Guard, s.cfg.ID)
		if !s.deaf || s.mutant == "no lease" || err == nil && g.Lease().Start > 0 && !g.Lease().Holds(copy.epoch, copy.view) {
			s.disk.Load(copy.image)
		}
	case 1:
		s.disk.Load(nil)
	case 2:
		image := s.disk.Save()
		for _, name := range slices.Sorted(func(yield func(string) bool) {
			for n := range image {
				if !yield(n) {
					return
				}
			}
		}) {
			if b := len(image[name]) / 4096; b > 0 {
				at := 4096 * s.rng.IntN(b)
				s.disk.Change(name, func(x []byte) { clear(x[at : at+4096]) })
				s.disk.Revive()
				break
			}
		}
	case 3:
		if s.rng.IntN(3) == 0 && !s.deaf {
			s.keys.Load(nil) // the guard is gone, the log is there
		}
	}
}

// live runs a signer through many lives and returns what it signed twice.
func (s *signer) live(lives int) string {
	var old []oldLog
	for range lives {
		s.disk.Plan(1 + s.rng.IntN(200))
		if s.rng.IntN(8) == 0 {
			s.keys.Plan(1 + s.rng.IntN(4))
		}
		s.open()
		for s.log != nil && s.twice == "" {
			if err := s.turn(); errors.Is(err, disktest.ErrCrash) {
				break
			} else if err != nil {
				s.t.Fatal(err)
			}
		}
		if s.twice != "" {
			return s.twice
		}
		s.fate(&old)
	}
	return ""
}

// TestCONS45NoDoubleSignWhateverHappensToTheLog kills a signer at random
// operations, takes what was not synced, puts back older copies of its log, damages
// blocks, deletes the log, and deletes the guard. Nothing is ever signed twice.
// When peers tell nothing, the guard alone must do for what its lease can show.
func TestCONS45NoDoubleSignWhateverHappensToTheLog(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		restarts, words := 0, 0
		for seed := range uint64(10) {
			s := newSigner(t, seed, deaf, "")
			if twice := s.live(40); twice != "" {
				t.Fatalf("deaf %v, seed %d: signed twice: %s", deaf, seed, twice)
			}
			restarts += s.restarts
			words += len(s.out)
		}
		t.Logf("deaf %v: %d words left, %d times the log was not to be trusted", deaf, words, restarts)
		if restarts < 50 || words < 1000 {
			t.Error("too little has happened")
		}
	}
}

// TestCONS62EachPartOfTheGuardIsNeeded leaves one out at a time.
func TestCONS62EachPartOfTheGuardIsNeeded(t *testing.T) {
	for mutant, deaf := range map[string]bool{"no lease": true, "no bound": true, "no question": false} {
		seed, twice := uint64(0), ""
		for ; seed < 200 && twice == ""; seed++ {
			twice = newSigner(t, seed, deaf, mutant).live(40)
		}
		if twice == "" {
			t.Errorf("%s: nothing was signed twice in %d seeds", mutant, seed)
		} else {
			t.Logf("%s: seed %d signs %s twice", mutant, seed-1, twice)
		}
	}
}

// TestCONS45ALogSaysUpToWhereItForgot, whether it goes on in the epoch or the next.
func TestCONS45ALogSaysUpToWhereItForgot(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	cfg := votelog.Config{Files: disktest.New(rng), Guard: beside{d: disktest.New(rng)}, ID: keystore.GuardID{Machine: "m"}}
	var l *votelog.Log
	open := func(what string, want ...uint64) {
		t.Helper()
		var err error
		if l, _, err = votelog.Open(cfg); err != nil {
			t.Fatal(err)
		}
		for epoch, view := range want {
			if got := l.Gone(uint64(epoch)); got != view {
				t.Errorf("%s: forgot up to view %d of epoch %d, want %d", what, got, epoch, view)
			}
		}
	}
	enter := func(epoch, view uint64) {
		t.Helper()
		r := consensus.Record{Kind: consensus.RecordEnter, Epoch: epoch, View: view}
		if err := errors.Join(l.Append(uint8(r.Kind), r.Encode()), l.Sync()); err != nil {
			t.Fatal(err)
		}
	}
	open("new", 0, 0)
	enter(1, 2)
	enter(1, 9)
	l.Close()
	open("nothing was let go of", 0, 0)
	next, err := l.Segment()
	if err != nil {
		t.Fatal(err)
	}
	enter(1, 12)
	l.Close()
	open("a segment begun", 0, 0)
	if err := l.Release(next); err != nil {
		t.Fatal(err)
	}
	l.Close()
	open("the one before let go of", math.MaxUint64, 9, 0)
	enter(2, 3)
	if next, err = l.Segment(); err == nil {
		err = l.Release(next)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	open("an epoch later", math.MaxUint64, math.MaxUint64, 3, 0)
	l.Close()
}
