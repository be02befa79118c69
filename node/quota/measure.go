// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
)

// FreeSpace returns the bytes that are free on the disk of a folder, and its size.
func FreeSpace(path string) (free, total uint64, err error) {
	var s syscall.Statfs_t
	err = syscall.Statfs(path, &s)
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), err
}

// Used returns the bytes of all files below a folder. Files that come and go
// meanwhile do not matter. Cost: a walk over the folder.
func Used(path string) (used uint64, err error) {
	err = filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		info, err := e.Info()
		if err != nil {
			return nil
		}
		size := uint64(info.Size())
		if s, ok := info.Sys().(*syscall.Stat_t); ok { // Badger's files are larger than what they take
			size = uint64(s.Blocks) * 512
		}
		used += size
		return nil
	})
	return used, err
}
