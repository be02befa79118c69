// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

func openWAL(t testing.TB, dir string) (*WAL, []Record) {
	t.Helper()
	w, rs, err := OpenWAL(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w, rs
}

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
	seqs, err := segments(dir)
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
	w, rs, err := OpenWAL(dir)
	if err != nil {
		return nil, err
	}
	// What was read must be there the next time too, and the log goes on.
	if err := errors.Join(w.Append(7, []byte("next")), w.Close()); err != nil {
		t.Fatal(err)
	}
	w2, again, err := OpenWAL(dir)
	if err != nil || !sameRecords(again, append(slices.Clone(rs), Record{7, []byte("next")})) {
		t.Fatalf("second open: %d records after %d and one, error %v", len(again), len(rs), err)
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
		ends = append(ends, w.at.offset)
		appendAll(t, w, []Record{r})
	}
	ends = append(ends, w.at.offset)
	name, b := onlySegment(t, dir)
	for n := range len(b) + 1 {
		whole := 0
		for whole < len(want) && ends[whole+1] <= int64(n) {
			whole++
		}
		s := replaySegment(b[:n], 1)
		if s.damaged(b[:n]) || !sameRecords(s.records, want[:whole]) {
			t.Fatalf("first %d bytes: %d records, want %d", n, len(s.records), whole)
		}
		if n%41 != 0 {
			continue // the same through files, which is slower
		}
		if rs, err := reopen(t, map[string][]byte{name: b[:n]}); err != nil || !sameRecords(rs, want[:whole]) {
			t.Fatalf("first %d bytes: %d records, want %d, error %v", n, len(rs), whole, err)
		}
	}
}

func TestCONS43AnyFlippedByteBeforeTheLastSyncIsFoundAndNamed(t *testing.T) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	want := testRecords(200)
	appendAll(t, w, want[:150])
	mustSync(t, w)
	durable := w.at.offset - recordHead - markBytes
	appendAll(t, w, want[150:])
	name, b := onlySegment(t, dir)
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1 << (i % 8)
		s := replaySegment(bad, 1)
		damaged := s.damaged(bad)
		if damaged != (int64(i) < durable) {
			t.Fatalf("byte %d of %d durable ones: damaged is %v", i, durable, damaged)
		}
		if s.end.offset > int64(i) {
			t.Fatalf("byte %d: read up to %d", i, s.end.offset)
		}
		if !damaged && !sameRecords(s.records, want[:len(s.records)]) {
			t.Fatalf("byte %d: wrong records", i)
		}
	}
	for _, i := range []int64{0, 3, 29, durable / 2, durable - 1} {
		bad := bytes.Clone(b)
		bad[i] ^= 0x80
		_, err := reopen(t, map[string][]byte{name: bad})
		if !errors.Is(err, ErrCorrupt) || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Fatalf("byte %d: error %v", i, err)
		}
	}
}

// TestTheFormatIsThatOfTheDesign reads a segment that was written by hand: head,
// sync mark, records of kinds 1, 2 and 5, sync mark.
func TestTheFormatIsThatOfTheDesign(t *testing.T) {
	b, err := hex.DecodeString(
		"00000014d9f8de8bf10000000000000001000000001122334455667788000000140cc5238af0112233445566778800000000" +
			"0000001dd9f8de8b00000005b6650b3601656e74657200000000ef1c0bd20200000028587f573f0578787878787878787878" +
			"78787878787878787878787878787878787878787878787878787878787800000014eaeeca92f01122334455667788000000" +
			"0000000082587f573f")
	if err != nil {
		t.Fatal(err)
	}
	want := []Record{{1, []byte("enter")}, {2, nil}, {5, bytes.Repeat([]byte("x"), 40)}}
	s := replaySegment(b, 1)
	if !sameRecords(s.records, want) || s.end.offset != int64(len(b)) {
		t.Fatalf("%d records up to byte %d of %d", len(s.records), s.end.offset, len(b))
	}
}

func TestARecordThatIsTakenOutOrMovedEndsTheLog(t *testing.T) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	var ends []int64
	for i := range 3 {
		appendAll(t, w, []Record{{1, []byte{byte(i)}}})
		ends = append(ends, w.at.offset)
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
	at := w.at.offset + recordHead
	fake, _ := appendRecord(nil, 9, kindSyncMark, markPayload(0, at, 9))
	appendAll(t, w, []Record{{1, append(fake, make([]byte, 100)...)}})
	name, b := onlySegment(t, dir)
	if rs, err := reopen(t, map[string][]byte{name: b[:len(b)-1]}); err != nil || len(rs) != 0 {
		t.Fatalf("%d records, error %v", len(rs), err)
	}
}

func TestResetKeepsWhatItIsToldAndFreesTheRest(t *testing.T) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	appendAll(t, w, testRecords(50))
	keep := []Record{{3, []byte("enter")}, {4, nil}}
	if err := w.Reset(keep); err != nil {
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

// TestACrashAnywhereInAResetLosesNothing takes every state in which a crash can
// leave the two segments.
func TestACrashAnywhereInAResetLosesNothing(t *testing.T) {
	dir := t.TempDir()
	w, _ := openWAL(t, dir)
	old := testRecords(5)
	appendAll(t, w, old)
	mustSync(t, w)
	first, a := onlySegment(t, dir)
	keep := []Record{{3, []byte("enter")}}
	if err := w.Reset(keep); err != nil {
		t.Fatal(err)
	}
	second, b := onlySegment(t, dir)
	for n := 0; n <= len(b); n++ {
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
	seqs, _ := segments(dir)
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
		{"a middle segment is cut at a record", func(m map[string][]byte) {
			m[segmentName(3)] = m[segmentName(3)][:len(m[segmentName(3)])-recordHead-markBytes]
		}, false},
		{"a middle segment has bytes behind its end", func(m map[string][]byte) {
			m[segmentName(3)] = append(bytes.Clone(m[segmentName(3)]), 0)
		}, false},
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
	if seqs, _ := segments(dir); len(seqs) != 2 {
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
	if _, _, err := OpenWAL(dir); !errors.Is(err, ErrLocked) {
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
				if err := w.Reset(keep); err != nil {
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
	w, _, err := OpenWAL(dir)
	if err != nil {
		f.Fatal(err)
	}
	appendAll(f, w, testRecords(4))
	mustSync(f, w)
	_, b := onlySegment(f, dir)
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := replaySegment(b, 1)
		s.damaged(b)
		if s.end.offset > int64(len(b)) {
			t.Fatal("read past the end")
		}
		// Writing what was read gives the same bytes.
		again, crc := []byte(nil), uint32(0)
		for at := int64(0); at < s.end.offset; {
			r, c, size, ok := parseRecord(b[at:], crc)
			if !ok {
				t.Fatal("a record that was read is not there")
			}
			again, crc = appendRecord(again, crc, r.Kind, r.Payload)
			at, crc = at+size, c
		}
		if !bytes.Equal(again, b[:s.end.offset]) {
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
