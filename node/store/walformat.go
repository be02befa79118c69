// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
)

// A segment is a file wal-<16 hex>.log of records
//
//	u32 length of payload ‖ u32 CRC-32C(u32 CRC of the record before ‖ kind ‖ payload) ‖ u8 kind ‖ payload
//
// in big endian. It begins with its head, over the CRC 0, padding up to block, and
// the same head again, over the CRC 0 too: one damaged block leaves one of them.
const (
	recordHead = 9
	blockBytes = 4_096 // what a disk loses at a time
)

// Kinds of the log's own records.
const (
	kindOwn      = 0xf0
	kindSyncMark = 0xf0 // place
	kindHead     = 0xf1 // segment u64 ‖ salt u64 ‖ oldest segment needed u64 ‖ place of the end of the segment before
	kindCopy     = 0xf2 // place ‖ records, each u32 length ‖ u8 kind ‖ payload
	kindPad      = 0xf3 // zeros
	kindRelease  = 0xf4 // oldest segment needed u64
)

// Payload sizes of the log's own records.
const (
	headBytes    = 24 + placeBytes
	placeBytes   = 36
	releaseBytes = 8
	// startBytes is the length of the beginning of a segment.
	startBytes = blockBytes + recordHead + headBytes
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

// appendPad adds a record that ends at the next block boundary, when b ends at
// offset; where a record does not fit, at the one after that.
func appendPad(b []byte, offset int64, previous uint32) ([]byte, uint32) {
	room := (blockBytes - offset%blockBytes) % blockBytes
	if room == 0 {
		return b, previous
	}
	if room < recordHead {
		room += blockBytes
	}
	return appendRecord(b, previous, kindPad, make([]byte, room-recordHead))
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

// place is what a sync mark and a copy say of where they stand, so that each can
// be recognized without what comes before it. The salt of the segment keeps the
// payload of another record from looking like one.
type place struct {
	salt     uint64
	offset   int64  // of the record itself
	previous uint32 // CRC of the record before
	from     int64  // end of the last copy, or of the head: records since then have no copy yet
	copyAt   int64  // start of the last copy, or end of the head
}

func (p place) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, p.salt)
	b = binary.BigEndian.AppendUint64(b, uint64(p.offset))
	b = binary.BigEndian.AppendUint32(b, p.previous)
	b = binary.BigEndian.AppendUint64(b, uint64(p.from))
	return binary.BigEndian.AppendUint64(b, uint64(p.copyAt))
}

// parsePlace reads the place at the start of a payload.
func parsePlace(b []byte) (place, bool) {
	if len(b) < placeBytes {
		return place{}, false
	}
	return place{
		salt: binary.BigEndian.Uint64(b), offset: int64(binary.BigEndian.Uint64(b[8:])), previous: binary.BigEndian.Uint32(b[16:]),
		from: int64(binary.BigEndian.Uint64(b[20:])), copyAt: int64(binary.BigEndian.Uint64(b[28:])),
	}, true
}

// appendCopied adds a record to the payload of a copy.
func appendCopied(b []byte, r Record) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Payload)))
	return append(append(b, r.Kind), r.Payload...)
}

// parseCopied reads the records of a copy's payload behind its place.
func parseCopied(b []byte) (out []Record, ok bool) {
	for len(b) > 0 {
		if len(b) < 5 {
			return nil, false
		}
		n := uint64(binary.BigEndian.Uint32(b))
		if uint64(len(b)) < 5+n || b[4] >= kindOwn && (b[4] != kindRelease || n != releaseBytes) {
			return nil, false
		}
		out = append(out, Record{Kind: b[4], Payload: b[5 : 5+n : 5+n]})
		b = b[5+n:]
	}
	return out, true
}

// head is the first record of a segment.
type head struct {
	segment uint64
	salt    uint64 // random
	first   uint64 // oldest segment that was needed when this one was started
	before  place  // a mark would have stood there, at the end of the segment before
}

// start returns the first bytes of a segment, and the CRC of their last record.
func (h head) start() ([]byte, uint32) {
	p := binary.BigEndian.AppendUint64(nil, h.segment)
	p = binary.BigEndian.AppendUint64(p, h.salt)
	p = binary.BigEndian.AppendUint64(p, h.first)
	p = append(p, h.before.encode()...)
	b, crc := appendRecord(nil, 0, kindHead, p)
	b, _ = appendPad(b, int64(len(b)), crc)
	return appendRecord(b, 0, kindHead, p)
}

// parseHead finds the head of segment seq in one of its two places.
func parseHead(b []byte, seq uint64) (h head, crc uint32, ok bool) {
	for _, at := range []int64{0, blockBytes} {
		r, crc, _, ok := parseRecord(b[min(at, int64(len(b))):], 0)
		if !ok || r.Kind != kindHead || len(r.Payload) != headBytes || binary.BigEndian.Uint64(r.Payload) != seq {
			continue
		}
		before, _ := parsePlace(r.Payload[24:])
		return head{seq, binary.BigEndian.Uint64(r.Payload[8:]), binary.BigEndian.Uint64(r.Payload[16:]), before}, crc, true
	}
	return head{}, 0, false
}

func segmentName(seq uint64) string { return fmt.Sprintf("wal-%016x.log", seq) }

// segments lists the segment numbers among file names, ascending. Other files
// are ignored.
func segments(files Files) ([]uint64, error) {
	names, err := files.List()
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, name := range names {
		hex, ok := strings.CutPrefix(name, "wal-")
		hex, ok2 := strings.CutSuffix(hex, ".log")
		if seq, err := strconv.ParseUint(hex, 16, 64); ok && ok2 && err == nil && segmentName(seq) == name {
			out = append(out, seq)
		}
	}
	slices.Sort(out)
	return out, nil
}
