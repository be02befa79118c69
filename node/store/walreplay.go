// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Replay is what a log holds when it is opened.
type Replay struct {
	// Records are those of the caller, in order.
	Records []Record
	// Repaired are those of Records that were lost in a damaged block and came
	// from their copy. Other records of the damaged block are missing.
	Repaired []Record
	// Damage says in words where damage was found and repaired; empty for none.
	Damage string
}

// replayed is a Replay with where and how the log goes on.
type replayed struct {
	Replay
	last  *segment
	first uint64 // oldest segment needed
}

// replay reads the segments seqs, ascending and not empty. Those before a gap are
// what a crash left of a release, or else the gap is found to be needed.
func replay(files Files, seqs []uint64, twice func(uint8) bool) (replayed, error) {
	var out replayed
	for i := len(seqs) - 1; i > 0; i-- {
		if seqs[i-1]+1 != seqs[i] {
			seqs = seqs[i:]
			break
		}
	}
	next, err := files.Read(segmentName(seqs[0]))
	if err != nil {
		return replayed{}, err
	}
	for i, seq := range seqs {
		b, end := next, (*place)(nil)
		if i < len(seqs)-1 {
			if next, err = files.Read(segmentName(seq + 1)); err != nil {
				return replayed{}, err
			}
			if h, _, ok := parseHead(next, seq+1); ok {
				end = &h.before
			}
		}
		s := replaySegment(b, seq, end, twice)
		if s.damage != "" {
			return replayed{}, fmt.Errorf("log %s is damaged at byte %d: %s: %w", segmentName(seq), s.end, s.damage, ErrCorrupt)
		}
		out.join(s)
	}
	if seqs[0] > out.first {
		return replayed{}, fmt.Errorf("log segment %s is missing: %w", segmentName(seqs[0]-1), ErrCorrupt)
	}
	return out, nil
}

// join adds what the next segment holds.
func (r *replayed) join(s *segment) {
	r.Records = append(r.Records, s.records...)
	r.Repaired = append(r.Repaired, s.repaired...)
	if s.note != "" {
		r.Damage += fmt.Sprintf("log %s: %s. ", segmentName(s.head.segment), s.note)
	}
	r.first = max(r.first, s.first)
	r.last = s
}

// segment is one file as far as it can be read.
type segment struct {
	head     head
	limit    *place // where the segment ends, by the head of the next one; nil for the last
	records  []Record
	repaired []Record
	end      int64
	crc      uint32
	from     int64    // end of the last copy, or of the head
	copyAt   int64    // start of the last copy, or end of the head
	words    []Record // records to be kept twice since from
	first    uint64
	note     string // what was repaired
	damage   string // what cannot be repaired
	twice    func(uint8) bool
}

// replaySegment reads b up to the first byte that is not part of a whole, valid
// record. Where a sync mark or a copy stands behind that byte, or another
// segment, it was damage and not a crash: what is lost is taken from copies, or
// else named in damage.
func replaySegment(b []byte, seq uint64, limit *place, twice func(uint8) bool) *segment {
	s := &segment{twice: twice, limit: limit}
	var ok bool
	if s.head, s.crc, ok = parseHead(b, seq); !ok {
		s.damage = "both heads are unreadable"
		return s
	}
	start, _ := s.head.start()
	if len(b) < len(start) || !bytes.Equal(b[:len(start)], start) {
		s.note = "the head is damaged"
	}
	s.end, s.from, s.copyAt, s.first = startBytes, startBytes, startBytes, s.head.first
	if limit != nil && int64(len(b)) > limit.offset {
		b, s.note = b[:max(limit.offset, startBytes)], "bytes behind the end"
	}
	for {
		r, crc, size, ok := parseRecord(b[min(s.end, int64(len(b))):], s.crc)
		if ok && s.take(r, size) {
			s.end, s.crc = s.end+size, crc
			continue
		}
		if s.limit != nil && s.place() == *s.limit || !s.mend(b) {
			return s
		}
	}
}

// take adds the record at the end; false if it cannot stand there.
func (s *segment) take(r Record, size int64) bool {
	switch r.Kind {
	case kindSyncMark, kindCopy:
		p, ok := parsePlace(r.Payload)
		copied, ok2 := parseCopied(r.Payload[min(placeBytes, len(r.Payload)):])
		if !ok || !ok2 || p != s.place() || r.Kind == kindSyncMark && len(copied) > 0 {
			return false
		}
		if r.Kind == kindCopy {
			s.from, s.copyAt, s.words = s.end+size, s.end, nil
		}
	case kindPad:
	case kindRelease:
		if len(r.Payload) != releaseBytes {
			return false
		}
		s.first, s.words = max(s.first, binary.BigEndian.Uint64(r.Payload)), append(s.words, r)
	default:
		if r.Kind == 0 || r.Kind >= kindOwn {
			return false
		}
		s.records = append(s.records, r)
		if s.twice(r.Kind) {
			s.words = append(s.words, r)
		}
	}
	return true
}

// place is that of a mark or copy at the end.
func (s *segment) place() place {
	return place{salt: s.head.salt, offset: s.end, previous: s.crc, from: s.from, copyAt: s.copyAt}
}

// mend looks for a mark or copy behind the end, which cannot be read. Between the
// two, records are lost. If some of them have copies in none of the blocks that
// are left, that is damage. Otherwise reading goes on at the mark or copy.
//
// A copy holds all words since the last copy before it; a mark stands where there
// are none. So everything from the start of that last copy on is known.
func (s *segment) mend(b []byte) bool {
	p, r, ok := findPlace(b, s.head.salt, s.end)
	if !ok && s.limit != nil {
		if p, ok = *s.limit, s.end < s.limit.offset; !ok {
			s.damage = "its end is not where the next segment says"
		}
	}
	if !ok {
		return false
	}
	if s.end < p.copyAt {
		s.damage = fmt.Sprintf("records are lost up to byte %d, and so is a copy of them", p.offset)
		return false
	}
	s.note = fmt.Sprintf("bytes %d to %d are damaged", s.end, p.offset)
	if r.Kind == kindCopy {
		copied, ok := parseCopied(r.Payload[placeBytes:])
		read := 0
		if p.from == s.from {
			read = len(s.words)
		}
		if !ok || read > len(copied) {
			s.damage = "a copy does not fit to its records"
			return false
		}
		for _, x := range copied[read:] {
			if x.Kind == kindRelease {
				s.first = max(s.first, binary.BigEndian.Uint64(x.Payload))
				continue
			}
			s.records, s.repaired = append(s.records, x), append(s.repaired, x)
		}
	}
	s.end, s.crc, s.from, s.copyAt, s.words = p.offset, p.previous, p.from, p.copyAt, nil
	return true
}

// findPlace finds the first mark or copy in b behind from. It looks at every byte,
// because the chain of records is broken there.
func findPlace(b []byte, salt uint64, from int64) (place, Record, bool) {
	want := binary.BigEndian.AppendUint64(nil, salt)
	for at := from; ; at++ {
		i := bytes.Index(b[min(at+recordHead, int64(len(b))):], want)
		if i < 0 {
			return place{}, Record{}, false
		}
		at += int64(i)
		p, ok := parsePlace(b[at+recordHead:])
		if !ok {
			return place{}, Record{}, false
		}
		r, _, _, ok := parseRecord(b[at:], p.previous)
		if ok && (r.Kind == kindSyncMark || r.Kind == kindCopy) && p.offset == at && at > from {
			return p, r, true
		}
	}
}
