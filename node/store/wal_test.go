// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// testRecord is number i of a log of records of many sizes.
func testRecord(i int) Record {
	return Record{Kind: uint8(1 + i%10), Payload: bytes.Repeat([]byte{byte(i), byte(i >> 8)}, i%17)}
}

func testRecords(n int) []Record {
	out := make([]Record, n)
	for i := range out {
		out[i] = testRecord(i)
	}
	return out
}

// words are the kinds of records that tests keep twice.
func words(kind uint8) bool { return kind <= 5 }

func openWAL(t testing.TB, dir string) (*WAL, []Record) {
	t.Helper()
	w, r, err := OpenWAL(Dir(dir), words)
	if err != nil || r.Damage != "" {
		t.Fatal(r.Damage, err)
	}
	t.Cleanup(func() { w.Close() })
	return w, r.Records
}

func segmentPath(dir string, seq uint64) string { return filepath.Join(dir, segmentName(seq)) }

func appendAll(t testing.TB, w *WAL, rs []Record) {
	t.Helper()
	for _, r := range rs {
		if err := w.Append(r.Kind, r.Payload); err != nil {
			t.Fatal(err)
		}
	}
}

func mustSync(t testing.TB, w *WAL) {
	t.Helper()
	if err := w.Sync(); err != nil {
		t.Fatal(err)
	}
}

func sameRecords(a, b []Record) bool {
	return slices.EqualFunc(a, b, func(a, b Record) bool { return a.Kind == b.Kind && bytes.Equal(a.Payload, b.Payload) })
}

// onlySegment returns the content of the one segment of a log.
func onlySegment(t testing.TB, dir string) (name string, b []byte) {
	t.Helper()
	seqs, err := segments(Dir(dir))
	if err != nil || len(seqs) != 1 {
		t.Fatalf("segments %v, error %v", seqs, err)
	}
	b, err = os.ReadFile(segmentPath(dir, seqs[0]))
	if err != nil {
		t.Fatal(err)
	}
	return segmentName(seqs[0]), b
}

// reopen opens a log that has the given segment files only.
func reopen(t testing.TB, files map[string][]byte) ([]Record, error) {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w, r, err := OpenWAL(Dir(dir), words)
	if err != nil {
		return nil, err
	}
	rs := r.Records
	if only, err := ReadWAL(Dir(dir), words); err != nil || !sameRecords(only.Records, rs) {
		t.Fatalf("read only: %d records, not %d, error %v", len(only.Records), len(rs), err)
	}
	// What was read must be there the next time too, and the log goes on.
	if err := errors.Join(w.Append(7, []byte("next")), w.Close()); err != nil {
		t.Fatal(err)
	}
	w2, again, err := OpenWAL(Dir(dir), words)
	if err != nil || !sameRecords(again.Records, append(slices.Clone(rs), Record{7, []byte("next")})) {
		t.Fatalf("second open: %d records after %d and one, error %v", len(again.Records), len(rs), err)
	}
	w2.Close()
	return rs, nil
}

func TestCONS43ALogGivesBackItsRecordsInOrder(t *testing.T) {
	dir := t.TempDir()
	w, rs := openWAL(t, dir)
	if len(rs) != 0 {
		t.Fatalf("a new log has %d records", len(rs))
	}
	want := testRecords(200)
	for i, r := range want {
		appendAll(t, w, []Record{r})
		if i%3 == 0 {
			mustSync(t, w)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, got := openWAL(t, dir); !sameRecords(got, want) {
		t.Fatalf("%d records, want %d equal ones", len(got), len(want))
	}
}

func TestCONS44AnyPrefixOfALogIsALog(t *testing.T) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	want := testRecords(200)
	var ends []int64 // ends[i]: the first i records need that many bytes
	for _, r := range want {
		ends = append(ends, w.end)
		appendAll(t, w, []Record{r})
	}
	ends = append(ends, w.end)
	name, b := onlySegment(t, dir)
	for n := range len(b) + 1 {
		whole := 0
		for whole < len(want) && ends[whole+1] <= int64(n) {
			whole++
		}
		if s := replaySegment(b[:n], 1, nil, words); n > startBytes && (s.damage+s.note != "" || !sameRecords(s.records, want[:whole])) {
			t.Fatalf("first %d bytes: %d records, want %d, %s %s", n, len(s.records), whole, s.damage, s.note)
		}
		if n%41 != 0 {
			continue // the same through files, which is slower
		}
		if rs, err := reopen(t, map[string][]byte{name: b[:n]}); err != nil || !sameRecords(rs, want[:whole]) {
			t.Fatalf("first %d bytes: %d records, want %d, error %v", n, len(rs), whole, err)
		}
	}
}

// damagedLog returns a log of 200 records in groups of several syncs, some of which
// are marked; up to durable everything was synced and marked.
func damagedLog(t *testing.T) (b []byte, want []Record, durable int64, synced int) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	want = testRecords(200)
	for i, r := range want {
		appendAll(t, w, []Record{r})
		if i%40 == 39 {
			mustSync(t, w)
			durable, synced = w.end-recordHead-placeBytes, i+1
		}
	}
	_, b = onlySegment(t, dir)
	return b, want, durable, synced
}

// checkRepair fails unless what was read of a damaged log holds every word of the
// first synced records once and in order, and nothing that was not in the log.
func checkRepair(t *testing.T, what string, got, want []Record, synced int) {
	t.Helper()
	seen, next := 0, 0
	for _, r := range got {
		for next < len(want) && !sameRecords(want[next:next+1], []Record{r}) {
			if words(want[next].Kind) && next < synced {
				t.Fatalf("%s: word %d is lost", what, next)
			}
			next++
		}
		if next == len(want) {
			t.Fatalf("%s: record %d was never written there", what, seen)
		}
		next++
		seen++
	}
	for ; next < synced; next++ {
		if words(want[next].Kind) {
			t.Fatalf("%s: word %d is lost", what, next)
		}
	}
}

func TestCONS63AnyFlippedByteIsRepairedOrCutBehindTheLastSync(t *testing.T) {
	b, want, durable, synced := damagedLog(t)
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1 << (i % 8)
		s := replaySegment(bad, 1, nil, words)
		if s.damage != "" {
			t.Fatalf("byte %d: one flipped byte is beyond repair: %s", i, s.damage)
		}
		if int64(i) < durable && s.note == "" {
			t.Fatalf("byte %d of %d durable ones is flipped and nobody notices", i, durable)
		}
		checkRepair(t, fmt.Sprintf("byte %d", i), s.records, want, synced)
	}
}

func TestCONS43ADamagedBlockIsRepairedFromTheOtherCopy(t *testing.T) {
	b, want, durable, synced := damagedLog(t)
	repaired := 0
	for at := 0; at+blockBytes <= int(durable); at += blockBytes {
		for _, fill := range []byte{0, 0xff} {
			bad := bytes.Clone(b)
			copy(bad[at:], bytes.Repeat([]byte{fill}, blockBytes))
			s := replaySegment(bad, 1, nil, words)
			if s.damage != "" || s.note == "" {
				t.Fatalf("block at %d: %s %s", at, s.damage, s.note)
			}
			repaired += len(s.repaired)
			checkRepair(t, fmt.Sprintf("block at %d", at), s.records, want, synced)
		}
	}
	if repaired == 0 {
		t.Fatal("no record came from a copy")
	}
}

func TestCONS45DamageOfRecordsAndTheirCopiesIsReported(t *testing.T) {
	b, want, durable, synced := damagedLog(t)
	reported := 0
	for at := startBytes; at+2*blockBytes <= int(durable); at += 97 {
		bad := bytes.Clone(b)
		copy(bad[at:], make([]byte, 2*blockBytes))
		if s := replaySegment(bad, 1, nil, words); s.damage != "" {
			reported++
		} else {
			checkRepair(t, fmt.Sprintf("two blocks at %d", at), s.records, want, synced)
		}
	}
	if reported == 0 {
		t.Fatal("words and their copies are gone and nobody says so")
	}
	_, err := reopen(t, map[string][]byte{segmentName(1): append(bytes.Clone(b[:5_000]), append(make([]byte, 8_000), b[13_000:]...)...)})
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), segmentName(1)) {
		t.Fatal(err)
	}
}

func TestARepairedLogIsWrittenAnewAndTakesTheNextDamage(t *testing.T) {
	b, want, _, synced := damagedLog(t)
	dir := t.TempDir()
	name := segmentName(1)
	for round := range 3 {
		copy(b[blockBytes:], make([]byte, blockBytes))
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		w, r, err := OpenWAL(Dir(dir), words)
		if err != nil || r.Damage == "" {
			t.Fatalf("round %d: %q, %v", round, r.Damage, err)
		}
		checkRepair(t, "repaired", r.Records, want, synced)
		if err := errors.Join(w.Rewrite(r.Records), w.Close()); err != nil {
			t.Fatal(err)
		}
		name, b = onlySegment(t, dir)
		again, err := ReadWAL(Dir(dir), words)
		if err != nil || again.Damage != "" || !sameRecords(again.Records, r.Records) {
			t.Fatalf("round %d, written anew: %q, %v", round, again.Damage, err)
		}
		want, synced = r.Records, len(r.Records)
	}
}

func TestARecordThatIsTakenOutOrMovedEndsTheLog(t *testing.T) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	var ends []int64
	for i := range 3 {
		appendAll(t, w, []Record{{1, []byte{byte(i)}}})
		ends = append(ends, w.end)
	}
	name, b := onlySegment(t, dir)
	one, two, three := b[:ends[0]], b[ends[0]:ends[1]], b[ends[1]:]
	for what, c := range map[string]struct {
		b    []byte
		want int
	}{
		"nothing changed":   {slices.Concat(one, two, three), 3},
		"the second is out": {slices.Concat(one, three), 1},
		"two are exchanged": {slices.Concat(one, three, two), 1},
		"the second twice":  {slices.Concat(one, two, two, three), 2},
	} {
		if rs, err := reopen(t, map[string][]byte{name: c.b}); err != nil || len(rs) != c.want {
			t.Errorf("%s: %d records, want %d, error %v", what, len(rs), c.want, err)
		}
	}
}

func TestATailOfZerosOrNoiseIsCut(t *testing.T) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	want := testRecords(20)
	appendAll(t, w, want)
	mustSync(t, w)
	name, b := onlySegment(t, dir)
	for _, tail := range [][]byte{make([]byte, 5_000), bytes.Repeat([]byte{0xff}, 100), {0, 0, 0, 1}} {
		if rs, err := reopen(t, map[string][]byte{name: append(bytes.Clone(b), tail...)}); err != nil || !sameRecords(rs, want) {
			t.Fatalf("tail of %d bytes: %d records, error %v", len(tail), len(rs), err)
		}
	}
}

func TestAPayloadThatLooksLikeASyncMarkIsNotOne(t *testing.T) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	// The attacker knows the offset, the record before, but not the salt.
	at := w.end + recordHead
	fake, _ := appendRecord(nil, 9, kindSyncMark, place{0, at, 9, startBytes, startBytes}.encode())
	appendAll(t, w, []Record{{1, append(fake, make([]byte, 100)...)}})
	name, b := onlySegment(t, dir)
	if rs, err := reopen(t, map[string][]byte{name: b[:len(b)-1]}); err != nil || len(rs) != 0 {
		t.Fatalf("%d records, error %v", len(rs), err)
	}
}

func TestRewriteKeepsWhatItIsToldAndFreesTheRest(t *testing.T) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	appendAll(t, w, testRecords(50))
	keep := []Record{{3, []byte("enter")}, {4, nil}}
	if err := w.Rewrite(keep); err != nil {
		t.Fatal(err)
	}
	appendAll(t, w, testRecords(2))
	if name, _ := onlySegment(t, dir); name != segmentName(2) {
		t.Fatalf("left is %s", name)
	}
	w.Close()
	if _, rs := openWAL(t, dir); !sameRecords(rs, append(keep, testRecords(2)...)) {
		t.Fatalf("records %v", rs)
	}
}

// TestACrashAnywhereInARewriteLosesNothing takes every state in which a crash can
// leave the two segments.
func TestACrashAnywhereInARewriteLosesNothing(t *testing.T) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	old := testRecords(5)
	appendAll(t, w, old)
	mustSync(t, w)
	first, a := onlySegment(t, dir)
	keep := []Record{{3, []byte("enter")}}
	if err := w.Rewrite(keep); err != nil {
		t.Fatal(err)
	}
	second, b := onlySegment(t, dir)
	for n := 0; n <= len(b); n += 1 + n%89 {
		rs, err := reopen(t, map[string][]byte{first: a, second: b[:n]})
		want := old
		if len(rs) > len(old) {
			want = append(slices.Clone(old), keep...)
		}
		if err != nil || !sameRecords(rs, want) {
			t.Fatalf("second segment of %d bytes: %d records, error %v", n, len(rs), err)
		}
	}
}

func TestSegmentsMustFollowEachOther(t *testing.T) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	var want []Record
	for i := range 4 {
		appendAll(t, w, testRecords(5+i))
		want = append(want, testRecords(5+i)...)
		if n, err := w.Segment(); err != nil || n != uint64(i+2) {
			t.Fatalf("segment %d, error %v", n, err)
		}
	}
	files := map[string][]byte{}
	seqs, _ := segments(Dir(dir))
	for _, s := range seqs {
		b, err := os.ReadFile(segmentPath(dir, s))
		if err != nil {
			t.Fatal(err)
		}
		files[segmentName(s)] = b
	}
	without := func(change func(map[string][]byte)) map[string][]byte {
		out := map[string][]byte{}
		for k, v := range files {
			out[k] = v
		}
		change(out)
		return out
	}
	for _, c := range []struct {
		name   string
		change func(map[string][]byte)
		ok     bool
	}{
		{"all segments are there", func(map[string][]byte) {}, true},
		{"a middle segment is missing", func(m map[string][]byte) { delete(m, segmentName(3)) }, false},
		{"a middle segment is empty", func(m map[string][]byte) { m[segmentName(3)] = nil }, false},
		{"a middle segment has lost its mark", func(m map[string][]byte) {
			m[segmentName(3)] = m[segmentName(3)][:len(m[segmentName(3)])-recordHead-placeBytes]
		}, true},
		{"a middle segment has lost its copies", func(m map[string][]byte) { m[segmentName(3)] = m[segmentName(3)][:2*blockBytes] }, true},
		{"a middle segment has lost records and their copies", func(m map[string][]byte) { m[segmentName(3)] = m[segmentName(3)][:2*blockBytes-1] }, false},
		{"a middle segment has bytes behind its end", func(m map[string][]byte) {
			m[segmentName(3)] = append(bytes.Clone(m[segmentName(3)]), 0)
		}, true},
		{"a first segment is missing", func(m map[string][]byte) { delete(m, segmentName(1)) }, false},
		{"two segments have changed places", func(m map[string][]byte) {
			m[segmentName(2)], m[segmentName(3)] = m[segmentName(3)], m[segmentName(2)]
		}, false},
		{"a file with another name lies there", func(m map[string][]byte) { m["wal-3.log.bak"] = []byte("x") }, true},
	} {
		rs, err := reopen(t, without(c.change))
		if c.ok && (err != nil || !sameRecords(rs, want)) || !c.ok && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %d records, error %v", c.name, len(rs), err)
		}
	}
	// Releasing the oldest is fine at any time.
	if err := w.Release(3); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, rs := openWAL(t, dir); !sameRecords(rs, want[5+6:]) {
		t.Fatalf("%d records after release", len(rs))
	}
}

func TestALargeLogGoesOnInANewSegment(t *testing.T) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	big := Record{9, bytes.Repeat([]byte{7}, 16<<20)}
	for range 6 {
		appendAll(t, w, []Record{big})
	}
	if seqs, _ := segments(Dir(dir)); len(seqs) != 2 {
		t.Fatalf("segments %v", seqs)
	}
	w.Close()
	if _, rs := openWAL(t, dir); len(rs) != 6 || !bytes.Equal(rs[5].Payload, big.Payload) {
		t.Fatalf("%d records", len(rs))
	}
}

func TestTheLogRefusesWhatItCannotKeep(t *testing.T) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	for name, err := range map[string]error{
		"a kind of its own":     w.Append(kindHead, nil),
		"a payload that is big": w.Append(1, make([]byte, MaxRecord+1)),
	} {
		if !errors.Is(err, ErrSize) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := OpenWAL(Dir(dir), words); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Append(1, nil)); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if err := w.Sync(); !errors.Is(err, ErrClosed) {
		t.Errorf("sync after close: %v", err)
	}
	// A full disk, here a closed file, ends all writing.
	w, _ = openWAL(t, t.TempDir())
	w.file.Close()
	first := w.Append(1, nil)
	if second := w.Sync(); first == nil || second == nil || first.Error() != second.Error() {
		t.Errorf("after a failed write: %v, then %v", first, second)
	}
}

func TestALogEqualsTheListOfWhatWasAppended(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		w, _ := openWAL(t, dir)
		var want []Record
		for i := range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0:
				mustSync(t, w)
			case 1:
				keep := want[rapid.IntRange(0, len(want)).Draw(rt, "keep from"):]
				if err := w.Rewrite(keep); err != nil {
					rt.Fatal(err)
				}
				want = slices.Clone(keep)
			case 2:
				w.Close()
				var got []Record
				if w, got = openWAL(t, dir); !sameRecords(got, want) {
					rt.Fatalf("%d records, want %d", len(got), len(want))
				}
			default:
				r := testRecord(i)
				appendAll(t, w, []Record{r})
				want = append(want, r)
			}
		}
		w.Close()
	})
}

func FuzzReplaySegment(f *testing.F) {
	dir := f.TempDir()
	w, _, err := OpenWAL(Dir(dir), words)
	if err != nil {
		f.Fatal(err)
	}
	appendAll(f, w, testRecords(4))
	mustSync(f, w)
	_, b := onlySegment(f, dir)
	f.Add(b)
	f.Add([]byte{})
	f.Add(b[:startBytes])
	f.Add(append(bytes.Clone(b), make([]byte, 20)...))
	for _, at := range []int{20, startBytes, startBytes + 30, 2*blockBytes - 1, 2*blockBytes + 5, len(b) - 1} {
		bad := bytes.Clone(b)
		bad[at] ^= 1
		f.Add(bad)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := replaySegment(b, 1, nil, words)
		if s.end > int64(len(b)) && s.note == "" {
			t.Fatal("read past the end")
		}
		if s.damage+s.note != "" {
			return
		}
		// Writing what was read gives the same bytes.
		again, crc := s.head.start()
		for at := int64(len(again)); at < s.end; {
			r, c, size, ok := parseRecord(b[at:], crc)
			if !ok {
				t.Fatal("a record that was read is not there")
			}
			again, crc = appendRecord(again, crc, r.Kind, r.Payload)
			at, crc = at+size, c
		}
		if !bytes.Equal(again, b[:s.end]) {
			t.Fatal("encodes to other bytes")
		}
	})
}

func BenchmarkWALAppendSync(b *testing.B) {
	for _, size := range []int{200, 20_000} {
		b.Run(fmt.Sprint(size, " bytes"), func(b *testing.B) {
			w, _ := openWAL(b, b.TempDir())
			payload := make([]byte, size)
			for b.Loop() {
				if err := errors.Join(w.Append(1, payload), w.Sync()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
