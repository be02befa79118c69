// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/openledger/openledger/node/disktest"
	"github.com/openledger/openledger/node/store"
)

// twice is the kinds that are kept twice, as a validator's own words are.
func twice(kind uint8) bool { return kind <= 5 }

// story is a log on a disk that fails, and what must be found in it.
type story struct {
	t    *testing.T
	rng  *rand.Rand
	disk *disktest.Disk
	wal  *store.WAL

	next    uint64   // number of the next record; it is its payload
	written []uint64 // since the last release
	synced  int      // of which so many are durable
	damaged bool     // records of other kinds may be missing
}

func number(r store.Record) uint64 { return binary.BigEndian.Uint64(r.Payload) }

func kindOf(n uint64) uint8 { return uint8(1 + n*7%9) }

func (s *story) append() error {
	n := s.next
	s.next++
	payload := binary.BigEndian.AppendUint64(nil, n)
	payload = append(payload, make([]byte, s.rng.IntN(300))...)
	if err := s.wal.Append(kindOf(n), payload); err != nil {
		return err
	}
	s.written = append(s.written, n)
	return nil
}

// open reads the log and compares it with what was written: all synced records are
// there, and behind them some that were written; after damage at least the words.
func (s *story) open(what string) {
	s.t.Helper()
	w, r, err := store.OpenWAL(s.disk, twice)
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
	var got []uint64
	for _, x := range r.Records {
		if n := number(x); len(s.written) > 0 && n >= s.written[0] && !slices.Contains(got, n) {
			if !slices.Contains(s.written, n) || kindOf(n) != x.Kind {
				s.t.Fatalf("%s: record %d was not written so", what, n)
			}
			got = append(got, n)
		}
	}
	for i, n := range s.written[:s.synced] {
		if !slices.Contains(got, n) && (twice(kindOf(n)) || !s.damaged && r.Damage == "") {
			s.t.Fatalf("%s: synced record %d of kind %d, number %d of %d, is lost; %s", what, n, kindOf(n), i, s.synced, r.Damage)
		}
	}
	if r.Damage != "" {
		s.damaged = true
		if err := w.Rewrite(r.Records); err != nil {
			s.t.Fatalf("%s: %v", what, err)
		}
	}
	slices.Sort(got)
	s.wal, s.written, s.synced = w, got, len(got)
}

// step does something at random; it may end with the crash of the machine.
func (s *story) step() error {
	switch s.rng.IntN(12) {
	case 0, 1, 2:
		if err := s.wal.Sync(); err != nil {
			return err
		}
		s.synced = len(s.written)
	case 3:
		if s.rng.IntN(4) > 0 {
			return nil
		}
		seg, err := s.wal.Segment()
		if err != nil {
			return err
		}
		s.synced = len(s.written)
		for range s.rng.IntN(5) {
			if err := s.append(); err != nil {
				return err
			}
		}
		old := s.synced
		s.written, s.synced = s.written[old:], 0 // a release that was begun may be carried out
		return s.wal.Release(seg)
	default:
		return s.append()
	}
	return nil
}

// TestCONS63NoCrashLosesWhatWasSynced kills machine and process at random
// operations; what was not synced is lost, torn or there in any combination. Now
// and then one block is damaged beside.
func TestCONS63NoCrashLosesWhatWasSynced(t *testing.T) {
	crashes, repairs := 0, 0
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 7))
		s := &story{t: t, rng: rng, disk: disktest.New(rng)}
		s.open("new")
		for range 20 {
			s.disk.Plan(1 + rng.IntN(60))
			var err error
			for err == nil {
				err = s.step()
			}
			if !errors.Is(err, disktest.ErrCrash) {
				t.Fatal(err)
			}
			crashes++
			if rng.IntN(2) == 0 {
				s.disk.Revive()
			} else {
				s.disk.LosePower()
			}
			if rng.IntN(3) == 0 {
				repairs += s.harm()
			}
			s.open("after a crash")
		}
	}
	t.Logf("%d crashes, %d of them with a damaged block", crashes, repairs)
}

// harm damages one block of a segment that is not torn: a crash during a write and
// a bad block in the sync before it are two faults.
func (s *story) harm() int {
	w, r, err := store.OpenWAL(s.disk, twice)
	if err != nil || r.Damage != "" || w.Sync() != nil {
		s.disk.Revive()
		return 0
	}
	w.Close()
	image := s.disk.Save()
	for name, b := range image {
		blocks := len(b) / 4096
		if len(image) > 1 || blocks < 3 {
			break
		}
		at := 4096 * s.rng.IntN(blocks)
		s.disk.Change(name, func(b []byte) {
			for i := range b[at : at+4096] {
				b[at+i] = byte(s.rng.Uint32())
			}
		})
		s.disk.Revive()
		return 1
	}
	s.disk.Revive()
	return 0
}

func TestALogThatCouldNotWriteOrSyncRefusesEverythingAfter(t *testing.T) {
	for name, fail := range map[string]func(d *disktest.Disk){
		"full":          func(d *disktest.Disk) { d.Fill(100) },
		"sync fails":    func(d *disktest.Disk) { d.FailSync(1) },
		"process ended": func(d *disktest.Disk) { d.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 1))
			s := &story{t: t, rng: rng, disk: disktest.New(rng)}
			s.open("new")
			for range 10 {
				if err := s.append(); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.wal.Sync(); err != nil {
				t.Fatal(err)
			}
			s.synced = len(s.written)
			fail(s.disk)
			var err error
			for err == nil {
				if err = s.append(); err == nil {
					err = s.wal.Sync()
				}
			}
			s.disk.Fill(-1)
			if again := s.wal.Sync(); again == nil || again.Error() != err.Error() {
				t.Fatalf("first %v, then %v", err, again)
			}
			s.disk.LosePower()
			s.open("after the failure")
			if s.synced < 10 {
				t.Fatalf("%d records", s.synced)
			}
		})
	}
}
