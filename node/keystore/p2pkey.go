// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
)

// P2PSeed reads the 32-byte host identity seed at path, creating it (0600) on
// first use. It is no account key and may be rotated by deleting the file (P2P-02).
func P2PSeed(path string) (seed [32]byte, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := rand.Read(seed[:]); err != nil {
			return seed, err
		}
		return seed, writeNew(path, seed[:], 0o600)
	}
	if err != nil {
		return seed, err
	}
	if len(b) != 32 {
		return seed, fmt.Errorf("%w: %s holds %d bytes, want 32; delete it to get a new network identity", ErrDamaged, path, len(b))
	}
	copy(seed[:], b)
	return seed, nil
}

// UnlockFile reads a passphrase from a file for unattended starts
// (`keys.unlock = "file:PATH"`). A trailing newline is not part of it.
func UnlockFile(path string) ([]byte, error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("read passphrase: %w", err)
	}
	return []byte(strings.TrimRight(string(b), "\r\n")), nil
}
