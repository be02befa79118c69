// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// storyTxs lists the transactions of a body of block.
func storyTxs(body []byte) (ids [][32]byte, err error) {
	var h uint64
	if _, err := fmt.Sscanf(string(body), "body %d", &h); err != nil {
		return nil, err
	}
	for i := range h % 4 {
		ids = append(ids, sha256.Sum256(fmt.Append(nil, "tx", h, i)))
	}
	return ids, nil
}

// sameFrom compares s with a store that has given up nothing: all from Oldest on is
// the same, below it nothing can be read, but two headers.
func sameFrom(t testing.TB, what string, s, whole *Store) {
	t.Helper()
	head, _ := s.Head()
	for h := range head.Height + 1 {
		_, err1 := s.Body(h)
		_, err2 := s.Receipts(h)
		_, err3 := s.Justification(h)
		if h < s.Oldest() {
			for _, err := range []error{err1, err2, err3} {
				if !errors.Is(err, ErrPruned) || !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), fmt.Sprintf("from height %d on", s.Oldest())) {
					t.Fatalf("%s: block %d below %d: %v", what, h, s.Oldest(), err)
				}
			}
		}
		got, err := s.HeaderCert(h)
		if h > 0 && h+1 < s.Oldest() {
			if !errors.Is(err, ErrPruned) {
				t.Fatalf("%s: header %d: %v", what, h, err)
			}
			continue
		}
		if want, err2 := whole.HeaderCert(h); err != nil || err2 != nil || string(got) != string(want) {
			t.Fatalf("%s: header %d is %q, want %q: %v", what, h, got, want, err)
		}
		if h < s.Oldest() {
			continue
		}
		a, errA := fullBlock(s, h)
		b, errB := fullBlock(whole, h)
		if errA != nil || errB != nil || a != b {
			t.Fatalf("%s: block %d is\n%s\nwant\n%s: %v", what, h, a, b, errA)
		}
	}
	if err := s.Check(true); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// fullBlock renders all that belongs to a height.
func fullBlock(s *Store, h uint64) (string, error) {
	body, err1 := s.Body(h)
	receipts, err2 := s.Receipts(h)
	just, err3 := s.Justification(h)
	if errors.Is(err3, ErrNotFound) && !errors.Is(err3, ErrPruned) {
		err3 = nil
	}
	out := fmt.Sprintf("%s|%s|%s", body, receipts, just)
	for i := range uint64(4) {
		at, n, err := s.TxLocation(sha256.Sum256(fmt.Append(nil, "tx", h, i)))
		out += fmt.Sprint("|", at, n, errors.Is(err, ErrNotFound))
	}
	return out, errors.Join(err1, err2, err3)
}

// leftovers counts the keys of blocks that nobody can read any more.
func leftovers(t testing.TB, s *Store) (n int) {
	t.Helper()
	for _, prefix := range []string{prefixBody, prefixReceipt, prefixJust, prefixHeader, prefixTx} {
		err := s.ledger.scan([]byte(prefix), nil, latest, func(k, v []byte) bool {
			end := s.Oldest()
			if prefix == prefixHeader {
				end = max(end, 1) - 1
			}
			switch {
			case prefix == prefixTx:
				if heightIn(append([]byte("t/"), v...)) < end {
					n++
				}
			case heightIn(k) < end && (prefix != prefixHeader || heightIn(k) > 0):
				n++
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func TestSTA10OldBlocksAreGivenUpWholeAndNothingElse(t *testing.T) {
	onAll(t, func(t *testing.T, at site) {
		s, whole := mustOpen(t, at), twin(t, 60)
		for h := range uint64(41) {
			mustCommit(t, s, storyWrites(h)...)
		}
		if n, err := s.Forget(30, math.MaxUint64, storyTxs); n != 0 || err != nil || s.Oldest() != 0 {
			t.Fatalf("blocks whose state is retained: %d bytes from height %d, %v", n, s.Oldest(), err)
		}
		if err := s.Prune(5); err != nil {
			t.Fatal(err)
		}
		n, err := s.Forget(30, 1, storyTxs)
		if err != nil || n == 0 || s.Oldest() != 1 {
			t.Fatalf("the least step: %d bytes, blocks from %d on, %v", n, s.Oldest(), err)
		}
		n, err = s.Forget(30, 400, storyTxs)
		if err != nil || n < 400 || n > 2_000 || s.Oldest() >= 15 {
			t.Fatalf("a part: %d bytes, blocks from %d on, %v", n, s.Oldest(), err)
		}
		sameFrom(t, "a part", s, whole)
		if _, err := s.Forget(30, math.MaxUint64, storyTxs); err != nil || s.Oldest() != 30 {
			t.Fatalf("blocks from %d on, %v", s.Oldest(), err)
		}
		sameFrom(t, "all", s, whole)
		mustClose(t, s)
		s = mustOpen(t, at)
		if s.Oldest() != 30 || leftovers(t, s) != 0 {
			t.Fatalf("after a restart: blocks from %d on, %d keys are left over", s.Oldest(), leftovers(t, s))
		}
		for h := uint64(41); h <= 60; h++ {
			mustCommit(t, s, storyWrites(h)...)
		}
		if err := s.Prune(1); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Forget(1_000, math.MaxUint64, storyTxs); err != nil || s.Oldest() != 59 {
			t.Fatalf("more than there is: blocks from %d on, %v", s.Oldest(), err)
		}
		sameFrom(t, "the end", s, whole)
		if n, err := s.Forget(1_000, math.MaxUint64, storyTxs); n != 0 || err != nil {
			t.Fatalf("once more: %d bytes, %v", n, err)
		}
	})
}

// A transaction that was refused in an old block and executed in a later one keeps
// its place.
func TestSTA10APlaceInALaterBlockStays(t *testing.T) {
	s := OpenMemory()
	again := sha256.Sum256([]byte("again"))
	for h := range uint64(20) {
		b := block(t, s, storyWrites(h)...)
		if h == 3 || h == 15 {
			b.TxIDs, b.Receipts = [][32]byte{again}, [][]byte{{byte(h)}}
		}
		if err := s.Commit(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Prune(1); err != nil {
		t.Fatal(err)
	}
	txs := func([]byte) ([][32]byte, error) { return [][32]byte{again}, nil }
	if _, err := s.Forget(10, math.MaxUint64, txs); err != nil {
		t.Fatal(err)
	}
	if at, _, err := s.TxLocation(again); at != 15 || err != nil {
		t.Errorf("height %d, %v", at, err)
	}
	if _, err := s.Forget(18, math.MaxUint64, txs); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.TxLocation(again); !errors.Is(err, ErrNotFound) {
		t.Errorf("given up with its block: %v", err)
	}
}

func TestSTA10ABodyThatCannotBeReadStopsForgetting(t *testing.T) {
	s := twin(t, 20)
	if err := s.Prune(1); err != nil {
		t.Fatal(err)
	}
	bad := errors.New("no body")
	if _, err := s.Forget(10, math.MaxUint64, func([]byte) ([][32]byte, error) { return nil, bad }); !errors.Is(err, bad) || s.Oldest() != 0 {
		t.Errorf("blocks from %d on, %v", s.Oldest(), err)
	}
}

// scatter is a power loss that takes any part of what was not synced, not its end.
func scatter(v *Volatile, r *rand.Rand) {
	for _, u := range slices.Backward(v.undo) {
		if r.IntN(2) == 0 {
			u.e.replace(u.key, u.ts, u.old)
		}
	}
	v.undo = nil
	v.Revive()
}

// TestSTA10WhatWasGivenUpTakesNoSpace: the deletions are older than what readers of
// retained heights need, so that the engine drops what they delete.
func TestSTA10WhatWasGivenUpTakesNoSpace(t *testing.T) {
	m := newMemory()
	s := mustOpen(t, ram{m, newMemory()})
	for h := range uint64(31) {
		mustCommit(t, s, storyWrites(h)...)
	}
	if err := s.Prune(3); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Forget(27, math.MaxUint64, storyTxs); err != nil {
		t.Fatal(err)
	}
	if err := m.discard(timeOf(s.floor.Load())); err != nil {
		t.Fatal(err)
	}
	for k := range m.values {
		if p := k[:2]; p == prefixBody || p == prefixReceipt || p == prefixJust {
			if heightIn([]byte(k)) < 27 {
				t.Errorf("%q is still held", k)
			}
		}
	}
}

// TestSTA10ACrashWhileForgettingLosesNothingThatIsServed kills the machine at each
// write and sync of Forget, with and without loss of what was not synced.
func TestSTA10ACrashWhileForgettingLosesNothingThatIsServed(t *testing.T) {
	whole := twin(t, 30)
	crashes := 0
	for op := 1; op <= 16; op++ {
		for seed := range uint64(8) {
			r := rand.New(rand.NewPCG(seed, uint64(op)))
			v := NewVolatile()
			s, err := v.Open()
			if err != nil {
				t.Fatal(err)
			}
			for h := range uint64(31) {
				mustCommit(t, s, storyWrites(h)...)
			}
			if err := errors.Join(s.Prune(3), s.Sync()); err != nil {
				t.Fatal(err)
			}
			v.Plan(op, r.IntN(101))
			for err == nil && s.Oldest() < 25 {
				_, err = s.Forget(25, 150, storyTxs)
			}
			if err != nil {
				crashes++
			}
			switch seed % 3 {
			case 0:
				v.LosePower(r)
			case 1:
				scatter(v, r)
			default:
				v.Revive()
			}
			if s, err = v.Open(); err != nil {
				t.Fatalf("operation %d, seed %d: %v", op, seed, err)
			}
			sameFrom(t, fmt.Sprintf("operation %d, seed %d", op, seed), s, whole)
			if _, err := s.Forget(25, math.MaxUint64, storyTxs); err != nil || s.Oldest() != 25 {
				t.Fatalf("blocks from %d on, %v", s.Oldest(), err)
			}
			sameFrom(t, "carried on", s, whole)
			if n := leftovers(t, s); n > 0 {
				t.Fatalf("operation %d, seed %d: %d keys are left over", op, seed, n)
			}
		}
	}
	if crashes < 100 {
		t.Errorf("%d crashes only", crashes)
	}
}

// TestSTA10ReadersSeeAWholeBlockOrNone reads while blocks are given up.
func TestSTA10ReadersSeeAWholeBlockOrNone(t *testing.T) {
	s, whole := mustOpen(t, disk{t.TempDir()}), twin(t, 60)
	for h := range uint64(61) {
		mustCommit(t, s, storyWrites(h)...)
	}
	if err := s.Prune(1); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		var err error
		for err == nil && s.Oldest() < 59 {
			_, err = s.Forget(59, 1, storyTxs)
		}
		done <- err
	}()
	for h := uint64(0); ; h = (h + 7) % 60 {
		body, err1 := s.Body(h)
		receipts, err2 := s.Receipts(h)
		for i, err := range []error{err1, err2} {
			if err != nil && !errors.Is(err, ErrPruned) {
				t.Fatalf("read %d of block %d: %v", i, h, err)
			}
		}
		want, _ := whole.Receipts(h)
		if err2 == nil && fmt.Sprint(receipts) != fmt.Sprint(want) || err1 == nil && string(body) != fmt.Sprint("body ", h) {
			t.Fatalf("block %d is %q %q", h, body, receipts)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}
