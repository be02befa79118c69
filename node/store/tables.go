// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
)

// checkTables reads every table of the database once, before Badger does.
//
// Badger opens its tables on goroutines of its own, where a cut table ends the
// process, and a bad block found later looks like an absent key. Here both are
// ErrCorrupt. Tables that no manifest names are leftovers of a crash.
func checkTables(opt badger.Options) error {
	manifest, err := readManifest(opt)
	if errors.Is(err, fs.ErrNotExist) {
		return checkFresh(opt.Dir)
	}
	if err != nil {
		return fmt.Errorf("manifest: %w: %w", err, ErrCorrupt)
	}
	ids := make([]uint64, 0, len(manifest.Tables))
	for id := range manifest.Tables {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		name := table.NewFilename(id, opt.Dir)
		if err := checkTable(name, id, manifest.Tables[id], opt); err != nil {
			return fmt.Errorf("table %s: %w: %w", filepath.Base(name), err, ErrCorrupt)
		}
	}
	return nil
}

func readManifest(opt badger.Options) (m badger.Manifest, err error) {
	f, err := os.Open(filepath.Join(opt.Dir, badger.ManifestFilename))
	if err != nil {
		return badger.Manifest{}, err
	}
	defer f.Close()
	m, _, err = badger.ReplayManifestFile(f, opt.ExternalMagicVersion, opt)
	return m, err
}

// checkFresh refuses a directory with data but without a manifest: Badger would
// delete the tables.
func checkFresh(dir string) error {
	for _, pattern := range []string{"*.sst", "*.vlog", "*.mem"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return fmt.Errorf("%s without a manifest: %w", filepath.Base(found[0]), ErrCorrupt)
		}
	}
	return nil
}

// checkTable reads all keys of a table, which verifies all its checksums.
func checkTable(name string, id uint64, m badger.TableManifest, opt badger.Options) (err error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := checkFooter(data); err != nil {
		return err
	}
	defer func() { // see openBadger: damaged blocks make Badger panic
		if r := recover(); r != nil {
			err = fmt.Errorf("unreadable block: %v", r)
		}
	}()
	t, err := table.OpenInMemoryTable(data, id, &table.Options{
		ReadOnly: true, BlockSize: opt.BlockSize, Compression: m.Compression, ChkMode: options.OnBlockRead,
	})
	if err != nil {
		return err
	}
	it := t.NewIterator(table.NOCACHE)
	defer it.Close()
	n := uint32(0)
	for it.Rewind(); it.Valid(); it.Next() {
		n++
	}
	if n != t.KeyCount() {
		return fmt.Errorf("%d of %d keys are readable", n, t.KeyCount())
	}
	return nil
}

// checkFooter checks that the lengths at the end of a table lie inside it:
// index ‖ index length u32 ‖ checksum ‖ checksum length u32.
func checkFooter(b []byte) error {
	for range 2 {
		if len(b) < 4 {
			return errors.New("cut short")
		}
		n := uint64(binary.BigEndian.Uint32(b[len(b)-4:]))
		b = b[:len(b)-4]
		if n > uint64(len(b)) {
			return errors.New("cut short")
		}
		b = b[:uint64(len(b))-n]
	}
	return nil
}
