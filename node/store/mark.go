// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// markFile holds the last sync mark of a database: u64 ‖ u32 CRC-32C of it. A
// database that falls short of its mark has lost data: Badger forgets tables
// without a word when its manifest is cut.
const markFile = "SYNCED"

// writeMark replaces the mark. After a power loss the old or the new one is there.
func writeMark(dir string, mark uint64) error {
	b := binary.BigEndian.AppendUint64(nil, mark)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	name := filepath.Join(dir, markFile)
	if err := os.WriteFile(name+".new", b, 0o600); err != nil {
		return err
	}
	if err := syncFile(name + ".new"); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// readMark returns the mark, 0 if there is none.
func readMark(dir string) (uint64, error) {
	b, err := os.ReadFile(filepath.Join(dir, markFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if len(b) != 12 || binary.BigEndian.Uint32(b[8:]) != crc32.Checksum(b[:8], castagnoli) {
		return 0, fmt.Errorf("sync mark %x: %w", b, ErrCorrupt)
	}
	return binary.BigEndian.Uint64(b), nil
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
