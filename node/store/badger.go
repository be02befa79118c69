// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// badgerEngine is the engine on disk: Badger in managed mode, where this package
// says at which time a key is written and read (STA-06).
type badgerEngine struct {
	db    *badger.DB
	dir   string
	merge merger
}

// profile sizes one database, in MiB.
type profile struct {
	memTable, memTables, blockCache, valueLog int
	hot                                       int // half of the memory for state values, and again for tree nodes, that blocks use

	// still databases are merged by merger: Badger's own compactors wake up 20 times
	// a second each, at rest too. Their tables are not compressed, so that they need
	// no cache of blocks.
	still bool
}

func ledgerProfile(o Options) profile {
	cache := o.CacheMiB
	if cache <= 0 {
		cache = 96
	}
	if cache < 64 {
		return profile{memTable: 16, memTables: 2, blockCache: max(cache, 4), valueLog: 64, hot: 2}
	}
	return profile{memTable: 64, memTables: 3, blockCache: cache, valueLog: 64, hot: 8}
}

func indexProfile() profile {
	return profile{memTable: 8, memTables: 2, valueLog: 16, still: true}
}

func (p profile) options(dir string, logger *slog.Logger) badger.Options {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	compactors, stall, compression := 2, 15, options.Snappy
	if p.still {
		compactors, stall, compression = 0, 1<<20, options.None
	}
	return badger.DefaultOptions(dir).
		WithSyncWrites(false). // durability comes from sync and, before it, the WAL
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1). // all versions above the discard time are kept anyway
		WithMemTableSize(int64(p.memTable) << 20).
		WithNumMemtables(p.memTables).
		WithNumLevelZeroTables(mergeTables).
		WithNumLevelZeroTablesStall(stall).
		WithNumCompactors(compactors).
		WithValueThreshold(min(1<<20, int64(p.memTable)<<17)). // state never lies in the value log
		WithValueLogFileSize(int64(p.valueLog) << 20).
		WithBlockCacheSize(int64(p.blockCache) << 20).
		WithIndexCacheSize(0). // used with encryption only
		WithCompression(compression).
		WithVerifyValueChecksum(true).
		WithChecksumVerificationMode(options.OnBlockRead). // checkTables has read all blocks
		WithMetricsEnabled(false).
		WithLogger(badgerLog{logger})
}

// openBadger opens or creates the database in dir. Errors: ErrCorrupt, ErrLocked.
func openBadger(dir string, p profile, logger *slog.Logger) (e *badgerEngine, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	opt := p.options(dir, logger)
	if err := checkTables(opt); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	// Badger answers some kinds of damage with a panic. This is the one place
	// where we turn a panic into an error: the bytes are not ours to trust.
	defer func() {
		if r := recover(); r != nil {
			e, err = nil, fmt.Errorf("%s: %v: %w", dir, r, ErrCorrupt)
		}
	}()
	db, err := badger.OpenManaged(opt)
	if err != nil {
		if strings.Contains(err.Error(), "Cannot acquire directory lock") {
			return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
		}
		var sys *fs.PathError
		if errors.As(err, &sys) {
			return nil, err
		}
		return nil, fmt.Errorf("%s: %w: %w", dir, err, ErrCorrupt)
	}
	b := &badgerEngine{db: db, dir: dir}
	if p.still {
		if err := b.merge.start(db, p); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: merge tables: %w", dir, err), db.Close())
		}
	}
	return b, nil
}

func (b *badgerEngine) get(key []byte, ts uint64) ([]byte, error) {
	txn := b.db.NewTransactionAt(ts, false)
	defer txn.Discard()
	item, err := txn.Get(key)
	if err != nil {
		return nil, b.readError(key, err)
	}
	v, err := item.ValueCopy(nil)
	if err != nil {
		return nil, b.readError(key, err)
	}
	return notNil(v), nil
}

func (b *badgerEngine) scan(prefix, after []byte, ts uint64, visit func(key, value []byte) bool) error {
	if b.db.IsClosed() {
		return ErrClosed
	}
	txn := b.db.NewTransactionAt(ts, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix, PrefetchValues: true, PrefetchSize: 16})
	defer it.Close()
	from := prefix
	if after != nil && bytes.Compare(after, prefix) >= 0 {
		from = append(bytes.Clone(after), 0)
	}
	for it.Seek(from); it.ValidForPrefix(prefix); it.Next() {
		item, more := it.Item(), false
		err := item.Value(func(v []byte) error {
			more = visit(item.Key(), v)
			return nil
		})
		if err != nil {
			return b.readError(item.Key(), err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

func (b *badgerEngine) newer(ts uint64) ([][]byte, error) {
	txn := b.db.NewTransactionAt(latest, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{AllVersions: true, SinceTs: ts})
	defer it.Close()
	var out [][]byte
	for it.Rewind(); it.Valid(); it.Next() {
		if k := it.Item().Key(); len(out) == 0 || !bytes.Equal(out[len(out)-1], k) {
			out = append(out, it.Item().KeyCopy(nil))
		}
	}
	return out, nil
}

func (b *badgerEngine) write(ts uint64, entries []entry) error {
	if b.db.IsClosed() {
		return ErrClosed
	}
	list := make([]badger.Entry, len(entries))
	for i, e := range entries {
		list[i].Key, list[i].Value = e.key, e.value
	}
	err := b.writeTogether(ts, list)
	if errors.Is(err, badger.ErrTxnTooBig) && len(list) > 1 {
		last := len(list) - 1
		if err = b.writeApart(ts, list[:last]); err == nil {
			err = b.writeTogether(ts, list[last:])
		}
	}
	if err == nil {
		b.merge.wrote(b.db, entries)
	}
	return b.writeError(err)
}

// writeTogether writes entries, which are not too many, so that after a crash all
// of them are there or none.
func (b *badgerEngine) writeTogether(ts uint64, list []badger.Entry) error {
	txn := b.db.NewTransactionAt(latest, true)
	defer txn.Discard()
	for i := range list {
		var err error
		if list[i].Value == nil {
			err = txn.Delete(list[i].Key)
		} else {
			err = txn.SetEntry(&list[i])
		}
		if err != nil {
			return err
		}
	}
	return txn.CommitAt(ts, nil)
}

// writeApart writes any number of entries in as many transactions as it takes.
func (b *badgerEngine) writeApart(ts uint64, list []badger.Entry) error {
	wb := b.db.NewWriteBatchAt(ts)
	defer wb.Cancel()
	for i := range list {
		var err error
		if list[i].Value == nil {
			err = wb.DeleteAt(list[i].Key, ts)
		} else {
			err = wb.SetEntryAt(&list[i], ts)
		}
		if err != nil {
			return err
		}
	}
	return wb.Flush()
}

func (b *badgerEngine) discard(ts uint64) error {
	b.db.SetDiscardTs(ts)
	return nil
}

// sync makes all logs durable. Badger's own Sync covers the memtable in use, but
// not one that was filled and is not yet a table, so those come first.
func (b *badgerEngine) sync(mark uint64) error {
	if b.db.IsClosed() {
		return ErrClosed
	}
	logs, err := filepath.Glob(filepath.Join(b.dir, "*.mem"))
	if err != nil {
		return err
	}
	for _, l := range logs {
		if err := syncFile(l); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := b.db.Sync(); err != nil || mark == 0 {
		return b.writeError(err)
	}
	return writeMark(b.dir, mark)
}

func (b *badgerEngine) synced() (uint64, error) { return readMark(b.dir) }

func (b *badgerEngine) close() error {
	if b.db.IsClosed() {
		return ErrClosed
	}
	b.merge.wait()
	return b.db.Close()
}

// readError maps what a read can end with: all but absence means damage.
func (b *badgerEngine) readError(key []byte, err error) error {
	switch {
	case errors.Is(err, badger.ErrKeyNotFound):
		return ErrNotFound
	case b.db.IsClosed():
		return ErrClosed
	}
	return fmt.Errorf("read key %x: %w: %w", key, err, ErrCorrupt)
}

func (b *badgerEngine) writeError(err error) error {
	switch {
	case err == nil:
		return nil
	case b.db.IsClosed():
		return ErrClosed
	case errors.Is(err, badger.ErrTxnTooBig):
		return fmt.Errorf("%w: %w", err, ErrSize)
	}
	return fmt.Errorf("write: %w", err)
}

// badgerLog sends what Badger has to say to slog; its chatter is dropped.
type badgerLog struct{ l *slog.Logger }

func (b badgerLog) Errorf(f string, a ...any)   { b.l.Error(line(f, a)) }
func (b badgerLog) Warningf(f string, a ...any) { b.l.Warn(line(f, a)) }
func (b badgerLog) Infof(string, ...any)        {}
func (b badgerLog) Debugf(string, ...any)       {}

func line(f string, a []any) string { return "badger: " + strings.TrimSpace(fmt.Sprintf(f, a...)) }
