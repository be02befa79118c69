// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"os"
	"path/filepath"
)

// Files is the folder of a log. Everything that the log does to the disk goes
// through it, so that a test can lose, tear, flip or refuse what is written. Names
// are plain file names.
type Files interface {
	// List returns the names of all files, in any order.
	List() ([]string, error)
	// Open opens a file for writing and keeps other processes from it. With create
	// the file must not exist, without it must. Errors: ErrLocked.
	Open(name string, create bool) (File, error)
	// Read returns the whole content of a file.
	Read(name string) ([]byte, error)
	// Remove deletes a file.
	Remove(name string) error
	// Sync returns when every creation and removal survives a power loss.
	Sync() error
}

// File is one open file of a log.
type File interface {
	// WriteAt writes b at an offset. After a crash any part of what was not yet
	// synced may be on disk.
	WriteAt(b []byte, offset int64) (int, error)
	// Truncate cuts the file.
	Truncate(size int64) error
	// Sync returns when content and size survive a power loss.
	Sync() error
	// Close lets other processes in. It does not sync.
	Close() error
}

// Dir is the Files of a folder of the operating system. It creates the folder
// when it first has to.
func Dir(path string) Files { return dir(path) }

type dir string

func (d dir) List() ([]string, error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(string(d))
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

func (d dir) Open(name string, create bool) (File, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE | os.O_EXCL
	}
	f, err := os.OpenFile(filepath.Join(string(d), name), flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return dirFile{f}, nil
}

func (d dir) Read(name string) ([]byte, error) { return os.ReadFile(filepath.Join(string(d), name)) }

func (d dir) Remove(name string) error { return os.Remove(filepath.Join(string(d), name)) }

func (d dir) Sync() error { return syncDir(string(d)) }

// dirFile syncs without the times of the file.
type dirFile struct{ *os.File }

func (f dirFile) Sync() error { return fdatasync(f.File) }

// syncDir makes the creation and removal of files in a folder durable.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
