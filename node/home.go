// SPDX-License-Identifier: Apache-2.0

package node

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrHomeInUse reports a home that another process runs on.
var ErrHomeInUse = errors.New("home is in use")

// homeLock is an advisory lock on home/LOCK (NODE-01).
type homeLock struct{ f *os.File }

func lockHome(home string) (*homeLock, error) {
	if err := os.MkdirAll(filepath.Join(home, "keys"), 0o700); err != nil {
		return nil, fmt.Errorf("open home: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(home, "LOCK"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open home: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		pid := make([]byte, 16)
		k, _ := f.Read(pid)
		f.Close()
		return nil, fmt.Errorf("%w: %s, by process %s", ErrHomeInUse, home, strings.TrimSpace(string(pid[:k])))
	}
	if err := errors.Join(f.Truncate(0), writePID(f)); err != nil {
		f.Close()
		return nil, err
	}
	return &homeLock{f}, nil
}

func writePID(f *os.File) error {
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

func (l *homeLock) release() error { return l.f.Close() }

// newToken writes a fresh random token to path, readable by the owner alone
// (RPC-08).
func newToken(path string) (string, error) {
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return "", err
	}
	token := "olt1.local." + hex.EncodeToString(secret[:])
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write RPC token: %w", err)
	}
	return token, os.Rename(tmp, path)
}
