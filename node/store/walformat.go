// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A segment is a file wal-<16 hex>.log of records
//
//	u32 length of payload ‖ u32 CRC-32C(u32 CRC of the record before ‖ kind ‖ payload) ‖ u8 kind ‖ payload
//
// in big endian. Its first record, over the CRC 0, is its head.
const recordHead = 9

// Kinds of the log's own records.
const (
	kindOwn      = 0xf0
	kindSyncMark = 0xf0 // salt u64 of the segment ‖ own offset u64 ‖ CRC of the record before u32
	kindHead     = 0xf1 // segment u64 ‖ last CRC of the segment before u32 ‖ salt u64
)

// Payload sizes of the log's own records.
const (
	markBytes = 20
	headBytes = 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func recordCRC(previous uint32, kind uint8, payload []byte) uint32 {
	var b [5]byte
	binary.BigEndian.PutUint32(b[:], previous)
	b[4] = kind
	return crc32.Update(crc32.Checksum(b[:], castagnoli), castagnoli, payload)
}

func appendRecord(b []byte, previous uint32, kind uint8, payload []byte) ([]byte, uint32) {
	crc := recordCRC(previous, kind, payload)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.BigEndian.AppendUint32(b, crc)
	return append(append(b, kind), payload...), crc
}

// parseRecord reads the record at the start of b. ok is false if there is no
// whole record that follows one with the CRC previous.
func parseRecord(b []byte, previous uint32) (r Record, crc uint32, size int64, ok bool) {
	if len(b) < recordHead {
		return Record{}, 0, 0, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if n > MaxRecord || uint64(len(b)) < recordHead+n {
		return Record{}, 0, 0, false
	}
	size = int64(recordHead + n)
	r = Record{Kind: b[8], Payload: b[recordHead:size:size]}
	crc = recordCRC(previous, r.Kind, r.Payload)
	return r, crc, size, crc == binary.BigEndian.Uint32(b[4:])
}

// markPayload is that of a sync mark at offset, behind a record with the given
// CRC. It can be recognized without what comes before it. The salt of the
// segment keeps payloads from looking like one.
func markPayload(salt uint64, offset int64, previous uint32) []byte {
	b := binary.BigEndian.AppendUint64(nil, salt)
	b = binary.BigEndian.AppendUint64(b, uint64(offset))
	return binary.BigEndian.AppendUint32(b, previous)
}

func headPayload(segment uint64, previous uint32, salt uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, segment)
	b = binary.BigEndian.AppendUint32(b, previous)
	return binary.BigEndian.AppendUint64(b, salt)
}

// hasMark reports whether a sync mark lies in b at or behind from. It looks at
// every byte, because the chain of records is broken there.
func hasMark(b []byte, salt uint64, from int64) bool {
	want := binary.BigEndian.AppendUint64(nil, salt)
	for at := from; ; at++ {
		i := bytes.Index(b[min(at+recordHead, int64(len(b))):], want)
		if i < 0 {
			return false
		}
		at += int64(i)
		if at+recordHead+markBytes > int64(len(b)) {
			return false
		}
		previous := binary.BigEndian.Uint32(b[at+recordHead+markBytes-4:])
		r, _, _, ok := parseRecord(b[at:], previous)
		if ok && r.Kind == kindSyncMark && bytes.Equal(r.Payload, markPayload(salt, at, previous)) {
			return true
		}
	}
}

// replayed is what replay found: the records, and where and after which CRC the
// next one goes.
type replayed struct {
	records []Record
	end     position
	crc     uint32
	salt    uint64
}

// replay reads the segments seqs, ascending and not empty.
func replay(dir string, seqs []uint64) (replayed, error) {
	var out replayed
	for i, seq := range seqs {
		if i > 0 && seq != seqs[i-1]+1 {
			return replayed{}, fmt.Errorf("log segment %s is missing: %w", segmentName(seqs[i-1]+1), ErrCorrupt)
		}
		b, err := os.ReadFile(segmentPath(dir, seq))
		if err != nil {
			return replayed{}, err
		}
		s := replaySegment(b, seq)
		torn := s.end.offset == 0 || s.end.offset < int64(len(b))
		if s.damaged(b) || torn && i < len(seqs)-1 {
			return replayed{}, fmt.Errorf("log %s is damaged at byte %d: %w", segmentName(seq), s.end.offset, ErrCorrupt)
		}
		if s.end.offset == 0 { // a torn head: the segment is begun again
			out.end = s.end
			break
		}
		if i > 0 && s.previous != out.crc {
			return replayed{}, fmt.Errorf("log %s is cut at byte %d: %w", segmentName(seq-1), out.end.offset, ErrCorrupt)
		}
		out.records = append(out.records, s.records...)
		out.end, out.crc, out.salt = s.end, s.crc, s.salt
	}
	return out, nil
}

// segment is one file as far as it can be read.
type segment struct {
	replayed
	previous uint32 // last CRC of the segment before, from the head
}

// replaySegment reads b up to the first byte that is not part of a whole, valid
// record. If the head is not valid, that is byte 0.
func replaySegment(b []byte, seq uint64) segment {
	s := segment{replayed: replayed{end: position{segment: seq}}}
	for {
		r, crc, size, ok := parseRecord(b[s.end.offset:], s.crc)
		if !ok {
			return s
		}
		switch first := s.end.offset == 0; {
		case first:
			if r.Kind != kindHead || len(r.Payload) != headBytes || binary.BigEndian.Uint64(r.Payload) != seq {
				return s
			}
			s.previous = binary.BigEndian.Uint32(r.Payload[8:])
			s.salt = binary.BigEndian.Uint64(r.Payload[12:])
		case r.Kind < kindOwn:
			s.records = append(s.records, r)
		case r.Kind != kindSyncMark || !bytes.Equal(r.Payload, markPayload(s.salt, s.end.offset, s.crc)):
			return s
		}
		s.end.offset += size
		s.crc = crc
	}
}

// damaged tells damage from a tail torn by a crash. The head is durable before
// anything follows it; a sync mark stands behind what was durable.
func (s segment) damaged(b []byte) bool {
	if s.end.offset == 0 {
		return len(b) > recordHead+headBytes
	}
	return s.end.offset < int64(len(b)) && hasMark(b, s.salt, s.end.offset)
}

func segmentName(seq uint64) string { return fmt.Sprintf("wal-%016x.log", seq) }

func segmentPath(dir string, seq uint64) string { return filepath.Join(dir, segmentName(seq)) }

// segments lists the segment numbers in dir, ascending. Other files are ignored.
func segments(dir string) ([]uint64, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, e := range names {
		hex, ok := strings.CutPrefix(e.Name(), "wal-")
		hex, ok2 := strings.CutSuffix(hex, ".log")
		if seq, err := strconv.ParseUint(hex, 16, 64); ok && ok2 && err == nil && segmentName(seq) == e.Name() {
			out = append(out, seq)
		}
	}
	slices.Sort(out)
	return out, nil
}

// syncDir makes the creation and removal of files in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		d.Close()
		return err
	}
	return d.Close()
}
