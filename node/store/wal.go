// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Bounds of the write-ahead log.
const (
	// MaxRecord is the longest payload in bytes: a block body and its envelope.
	MaxRecord = 16<<20 + 4_096
	// segmentBytes is the size at which a new segment is started.
	segmentBytes = 64 << 20
)

// Record is one entry of the log. Kinds belong to the caller; 0xf0 and above
// are the log's own.
type Record struct {
	Kind    uint8
	Payload []byte
}

// WAL is the append-only log of what the consensus core must not forget. A
// record is on disk when Sync returns; Append alone survives the death of the
// process, not a power loss. All methods are safe for concurrent use. After a
// failed write the log refuses everything: reopen it.
//
// Spec: CONS-43, CONS-44, NODE-06.
type WAL struct {
	dir string

	mu     sync.Mutex
	file   *os.File
	at     position // end of the log, where the next record goes
	crc    uint32   // of the last record
	salt   uint64   // of the segment
	marked bool     // the last record is a sync mark: all before it is durable
	failed error
}

// position is a place in the log.
type position struct {
	segment uint64
	offset  int64
}

// OpenWAL opens or creates the log in dir and returns its records in order.
//
// What a crash left half written at the end is cut off. Damage anywhere before
// the last completed Sync is ErrCorrupt and names segment and offset: the
// caller must not sign on the strength of such a log. After a crash inside
// Reset, records that were kept appear twice.
//
// Errors: ErrCorrupt, ErrLocked, errors of the file system.
func OpenWAL(dir string) (*WAL, []Record, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	seqs, err := segments(dir)
	if err != nil {
		return nil, nil, err
	}
	if len(seqs) == 0 {
		w := &WAL{dir: dir}
		if err := w.startSegment(1, 0); err != nil {
			return nil, nil, err
		}
		return w, nil, nil
	}
	r, err := replay(dir, seqs)
	if err != nil {
		return nil, nil, err
	}
	w := &WAL{dir: dir, at: r.end, crc: r.crc, salt: r.salt}
	if err := w.resume(); err != nil {
		return nil, nil, err
	}
	return w, r.records, nil
}

// resume opens the last segment for appending, cuts its torn tail and makes
// durable what was read (CONS-44).
func (w *WAL) resume() error {
	f, err := os.OpenFile(segmentPath(w.dir, w.at.segment), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := lockFile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	w.file = f
	if err := f.Truncate(w.at.offset); err != nil {
		return errors.Join(err, f.Close())
	}
	if w.at.offset == 0 { // the crash hit the very start of the segment
		if err := w.writeHead(w.crc); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if err := w.syncLocked(); err != nil {
		return errors.Join(err, f.Close())
	}
	return syncDir(w.dir)
}

// Append adds a record to the log. The payload is not kept.
//
// Errors: ErrSize, ErrClosed, errors of the file system.
func (w *WAL) Append(kind uint8, payload []byte) error {
	if kind >= kindOwn || len(payload) > MaxRecord {
		return fmt.Errorf("log record of kind %d, %d bytes: %w", kind, len(payload), ErrSize)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return w.failed
	}
	if w.at.offset >= segmentBytes {
		if err := w.rotate(); err != nil {
			return w.fail(err)
		}
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
	if err := fdatasync(w.file); err != nil {
		return w.fail(err)
	}
	return w.write(kindSyncMark, markPayload(w.salt, w.at.offset, w.crc))
}

// Reset replaces the whole log by the records keep, durably, and frees the disk
// space of everything older. A crash in between leaves the old log, or the old
// log followed by keep.
//
// Call it when the ledger database was synced behind all records but keep.
func (w *WAL) Reset(keep []Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return w.failed
	}
	if err := w.rotate(); err != nil {
		return w.fail(err)
	}
	for _, r := range keep {
		if err := w.write(r.Kind, r.Payload); err != nil {
			return err
		}
	}
	if err := w.syncLocked(); err != nil {
		return err
	}
	return w.release(w.at.segment)
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
	return w.at.segment, nil
}

// Release deletes all segments before number first, oldest first.
func (w *WAL) Release(first uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return w.failed
	}
	return w.release(min(first, w.at.segment))
}

func (w *WAL) release(first uint64) error {
	seqs, err := segments(w.dir)
	if err != nil {
		return err
	}
	for _, s := range seqs {
		if s >= first {
			break
		}
		if err := os.Remove(segmentPath(w.dir, s)); err != nil {
			return err
		}
	}
	return syncDir(w.dir)
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

// rotate makes the current segment durable and starts the next one.
func (w *WAL) rotate() error {
	if err := w.syncLocked(); err != nil {
		return err
	}
	old := w.file
	if err := w.startSegment(w.at.segment+1, w.crc); err != nil {
		return err
	}
	return old.Close()
}

// startSegment creates a segment durably. Its first record holds its number and
// the checksum at which the segment before it ended.
func (w *WAL) startSegment(seq uint64, crc uint32) error {
	f, err := os.OpenFile(segmentPath(w.dir, seq), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := lockFile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	w.file, w.at, w.crc = f, position{segment: seq}, 0
	if err := w.writeHead(crc); err != nil {
		return err
	}
	if err := w.syncLocked(); err != nil {
		return err
	}
	return syncDir(w.dir)
}

func (w *WAL) writeHead(previous uint32) error {
	var salt [8]byte
	rand.Read(salt[:])
	w.crc, w.salt = 0, binary.BigEndian.Uint64(salt[:])
	return w.write(kindHead, headPayload(w.at.segment, previous, w.salt))
}

// write appends one record with a single call of the operating system.
func (w *WAL) write(kind uint8, payload []byte) error {
	b, crc := appendRecord(make([]byte, 0, recordHead+len(payload)), w.crc, kind, payload)
	if _, err := w.file.WriteAt(b, w.at.offset); err != nil {
		return w.fail(err)
	}
	w.at.offset += int64(len(b))
	w.crc, w.marked = crc, kind == kindSyncMark
	return nil
}

// fail makes every later call fail: after a failed write or sync nobody knows
// what is on disk.
func (w *WAL) fail(err error) error {
	if w.failed == nil {
		w.failed = fmt.Errorf("write-ahead log %s: %w", filepath.Base(w.file.Name()), err)
	}
	return w.failed
}
