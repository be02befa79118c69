// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// Bounds of the write-ahead log.
const (
	// MaxRecord is the longest payload in bytes: a block body and its envelope.
	MaxRecord = 16<<20 + 4_096
	// segmentBytes is the size at which a new segment is started.
	segmentBytes = 64 << 20
	// copyBytes is how much waits for its copy at most.
	copyBytes = 1 << 20
)

// Record is one entry of the log. Kinds belong to the caller: 1 to 0xef.
type Record struct {
	Kind    uint8
	Payload []byte
}

// WAL is the append-only log of what the consensus core must not forget. A
// record is on disk when Sync returns; Append alone survives the death of the
// process, not a power loss. Records of the kinds that the caller names are
// written twice, the copy in another block of 4 KiB, so that one damaged block
// takes none of them. All methods are safe for concurrent use. After a failed
// write the log refuses everything: reopen it.
//
// Spec: CONS-43, CONS-44, NODE-06.
type WAL struct {
	files Files
	twice func(kind uint8) bool

	mu      sync.Mutex
	file    File
	segment uint64
	end     int64  // of the segment, where the next record goes
	crc     uint32 // of the last record
	salt    uint64 // of the segment
	first   uint64 // oldest segment needed
	from    int64  // end of the last copy, or of the head
	copyAt  int64  // start of the last copy, or end of the head
	words   []byte // records since from that want a copy, as a copy holds them
	marked  bool   // the last record is a sync mark: all before it is durable
	failed  error
}

// OpenWAL opens or creates the log in files and returns what it holds. twice
// names the kinds of records that are kept twice.
//
// What a crash left half written at the end is cut off. One damaged block is
// repaired: Replay says what came from copies, and the caller should Rewrite the log
// before another block goes. More damage before the last completed Sync is
// ErrCorrupt and names segment and offset: the caller must not sign on the
// strength of such a log. After a crash in Rewrite, records appear twice.
//
// Errors: ErrCorrupt, ErrLocked, errors of the file system.
func OpenWAL(files Files, twice func(kind uint8) bool) (*WAL, Replay, error) {
	w := &WAL{files: files, twice: twice}
	seqs, err := w.dropTorn()
	if err != nil {
		return nil, Replay{}, err
	}
	if len(seqs) == 0 {
		w.first = 1
		return w, Replay{}, w.startSegment(1)
	}
	r, err := replay(files, seqs, twice)
	if err != nil {
		return nil, Replay{}, err
	}
	if err := w.resume(seqs[len(seqs)-1], r); err != nil {
		return nil, Replay{}, err
	}
	return w, r.Replay, nil
}

// ReadWAL returns what the log in files holds and changes nothing. Another
// process may have it open. Errors: as OpenWAL.
func ReadWAL(files Files, twice func(kind uint8) bool) (Replay, error) {
	seqs, err := segments(files)
	if err != nil || len(seqs) == 0 {
		return Replay{}, err
	}
	if b, err := files.Read(segmentName(seqs[len(seqs)-1])); err != nil || torn(b, seqs[len(seqs)-1]) {
		if seqs = seqs[:len(seqs)-1]; err != nil || len(seqs) == 0 {
			return Replay{}, err
		}
	}
	r, err := replay(files, seqs, twice)
	return r.Replay, err
}

// torn reports a segment that a crash hit before it was begun.
func torn(b []byte, seq uint64) bool {
	_, _, ok := parseHead(b, seq)
	return !ok && len(b) <= startBytes
}

// dropTorn lists the segments, without one that was not begun yet.
func (w *WAL) dropTorn() ([]uint64, error) {
	seqs, err := segments(w.files)
	if err != nil || len(seqs) == 0 {
		return nil, err
	}
	last := seqs[len(seqs)-1]
	b, err := w.files.Read(segmentName(last))
	if err != nil || !torn(b, last) {
		return seqs, err
	}
	if err := w.files.Remove(segmentName(last)); err != nil {
		return nil, err
	}
	return seqs[:len(seqs)-1], w.files.Sync()
}

// resume opens the last segment for appending, cuts its torn tail and makes
// durable what was read (CONS-44).
func (w *WAL) resume(seq uint64, r replayed) (err error) {
	if w.file, err = w.files.Open(segmentName(seq), false); err != nil {
		return err
	}
	s := r.last
	w.segment, w.end, w.crc, w.salt, w.first, w.from, w.copyAt = seq, s.end, s.crc, s.head.salt, r.first, s.from, s.copyAt
	for _, x := range s.words {
		w.words = appendCopied(w.words, x)
	}
	err = w.file.Truncate(w.end)
	if err == nil {
		err = w.syncLocked()
	}
	if err == nil {
		err = w.files.Sync()
	}
	if err != nil {
		return errors.Join(err, w.file.Close())
	}
	return nil
}

// Append adds a record to the log. The payload is not kept.
//
// Errors: ErrSize, ErrClosed, errors of the file system.
func (w *WAL) Append(kind uint8, payload []byte) error {
	if kind == 0 || kind >= kindOwn || len(payload) > MaxRecord || w.twice(kind) && len(payload) > copyBytes {
		return fmt.Errorf("log record of kind %d, %d bytes: %w", kind, len(payload), ErrSize)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return w.failed
	}
	if w.end >= segmentBytes {
		if err := w.rotate(); err != nil {
			return w.fail(err)
		}
	}
	return w.add(kind, payload)
}

// add writes a record and remembers it if it wants a copy.
func (w *WAL) add(kind uint8, payload []byte) error {
	if w.twice(kind) {
		if len(w.words) >= copyBytes {
			if err := w.copyWords(); err != nil {
				return err
			}
		}
		w.words = appendCopied(w.words, Record{kind, payload})
	}
	return w.write(kind, payload)
}

// Sync returns when all appended records survive a power loss. It costs one
// fdatasync, or nothing if there is nothing new.
func (w *WAL) Sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return w.failed
	}
	return w.syncLocked()
}

// syncLocked makes the log durable and then notes so in it. The note itself may
// get lost; where it is found, everything before it was once on disk.
func (w *WAL) syncLocked() error {
	if w.marked {
		return nil
	}
	if err := w.copyWords(); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return w.fail(err)
	}
	return w.write(kindSyncMark, w.place().encode())
}

// copyWords writes the second copy of records, in blocks that hold none of them.
func (w *WAL) copyWords() error {
	if len(w.words) == 0 {
		return nil
	}
	b, crc := appendPad(nil, w.end, w.crc)
	at := w.end + int64(len(b))
	p := place{salt: w.salt, offset: at, previous: crc, from: w.from, copyAt: w.copyAt}
	b, crc = appendRecord(b, crc, kindCopy, append(p.encode(), w.words...))
	if err := w.put(b, crc); err != nil {
		return err
	}
	w.from, w.copyAt, w.words = w.end, at, w.words[:0]
	return nil
}

// place is that of a mark at the end.
func (w *WAL) place() place {
	return place{salt: w.salt, offset: w.end, previous: w.crc, from: w.from, copyAt: w.copyAt}
}

// Rewrite replaces the whole log by the records keep, durably. A crash in between
// leaves the old log, or the old log followed by some of keep.
func (w *WAL) Rewrite(keep []Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return w.failed
	}
	if err := w.rotate(); err != nil {
		return w.fail(err)
	}
	for _, r := range keep {
		if err := w.add(r.Kind, r.Payload); err != nil {
			return err
		}
	}
	if err := w.syncLocked(); err != nil {
		return err
	}
	return w.release(w.segment)
}

// Segment starts a new segment and returns its number, to be given to Release
// when all older records are of no use any more.
func (w *WAL) Segment() (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return 0, w.failed
	}
	if err := w.rotate(); err != nil {
		return 0, w.fail(err)
	}
	return w.segment, nil
}

// Release deletes all segments before number first, oldest first.
func (w *WAL) Release(first uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return w.failed
	}
	return w.release(min(first, w.segment))
}

// release notes durably which segments are needed before it deletes the others,
// so that a missing one is told from a released one.
func (w *WAL) release(first uint64) error {
	if first <= w.first {
		return nil
	}
	r := Record{kindRelease, binary.BigEndian.AppendUint64(nil, first)}
	w.words = appendCopied(w.words, r)
	if err := w.write(r.Kind, r.Payload); err != nil {
		return err
	}
	if err := w.syncLocked(); err != nil {
		return err
	}
	w.first = first
	seqs, err := segments(w.files)
	if err != nil {
		return err
	}
	for _, s := range seqs {
		if s >= first {
			break
		}
		if err := w.files.Remove(segmentName(s)); err != nil {
			return err
		}
	}
	return w.files.Sync()
}

// Close syncs and closes the log.
func (w *WAL) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		if errors.Is(w.failed, ErrClosed) {
			return ErrClosed
		}
		return errors.Join(w.failed, w.file.Close())
	}
	err := w.syncLocked()
	w.failed = ErrClosed
	return errors.Join(err, w.file.Close())
}

// rotate makes the current segment durable with its last mark, and starts the next
// one, whose head says where this one ends.
func (w *WAL) rotate() error {
	if err := w.syncLocked(); err != nil {
		return err
	}
	old := w.file
	if err := old.Sync(); err != nil {
		return err
	}
	if err := w.startSegment(w.segment + 1); err != nil {
		return err
	}
	return old.Close()
}

// startSegment creates a segment durably.
func (w *WAL) startSegment(seq uint64) error {
	f, err := w.files.Open(segmentName(seq), true)
	if err != nil {
		return err
	}
	var salt [8]byte
	rand.Read(salt[:])
	h := head{segment: seq, salt: binary.BigEndian.Uint64(salt[:]), first: w.first, before: w.place()}
	b, crc := h.start()
	w.file, w.segment, w.salt, w.end, w.from, w.copyAt, w.words = f, seq, h.salt, 0, startBytes, startBytes, nil
	if err := w.put(b, crc); err != nil {
		return err
	}
	if err := w.syncLocked(); err != nil {
		return err
	}
	return w.files.Sync()
}

// write appends one record with a single call of the operating system.
func (w *WAL) write(kind uint8, payload []byte) error {
	b, crc := appendRecord(make([]byte, 0, recordHead+len(payload)), w.crc, kind, payload)
	if err := w.put(b, crc); err != nil {
		return err
	}
	w.marked = kind == kindSyncMark
	return nil
}

// put writes whole records at the end, the last of which has the CRC crc.
func (w *WAL) put(b []byte, crc uint32) error {
	if _, err := w.file.WriteAt(b, w.end); err != nil {
		return w.fail(err)
	}
	w.end, w.crc, w.marked = w.end+int64(len(b)), crc, false
	return nil
}

// fail makes every later call fail: after a failed write or sync nobody knows
// what is on disk.
func (w *WAL) fail(err error) error {
	if w.failed == nil {
		w.failed = fmt.Errorf("write-ahead log %s: %w", segmentName(w.segment), err)
	}
	return w.failed
}
