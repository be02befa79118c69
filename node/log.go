// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/member"
	"github.com/openledger/openledger/node/store"
)

// ErrLostLog reports a validator whose write-ahead log is gone. It may have signed
// what it no longer knows, and would sign against itself (CONS-45).
var ErrLostLog = errors.New("the write-ahead log of this validator is gone")

// votedPath is a file beside the key that says that it has voted. It travels with
// the keys folder, so keys that are restored without the log are known too.
func (n *Node) votedPath() string {
	pub := n.cfg.Validator.Public()
	return filepath.Join(n.cfg.Home, "keys", fmt.Sprintf("voted-%x", pub[:8]))
}

const lostLog = "restore it from a copy made after the last vote; without one, start without keys.validator: this key must not vote again on this network"

// openLog opens the write-ahead log and puts its records into cfg. Errors:
// ErrLostLog, store.ErrCorrupt, consensus.ErrRecord.
func (n *Node) openLog(cfg *driver.Config) (driver.Log, error) {
	dir := filepath.Join(n.cfg.Home, "wal")
	segments, err := filepath.Glob(filepath.Join(dir, "wal-*.log"))
	if err != nil {
		return nil, err
	}
	switch _, err := os.Stat(n.votedPath()); {
	case err == nil && len(segments) == 0:
		return nil, fmt.Errorf("%w: %s has no log, but %s exists; %s", ErrLostLog, dir, n.votedPath(), lostLog)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	wal, r, err := store.OpenWAL(store.Dir(dir), member.OwnWord)
	if err != nil {
		return nil, damaged(err, lostLog)
	}
	if err := errors.Join(markVoted(n.votedPath(), n.chain.Env().ChainID), member.ReadLog(r.Records, cfg)); err != nil {
		return nil, errors.Join(damaged(err, lostLog), wal.Close())
	}
	if r.Damage != "" {
		n.log.Warn("the write-ahead log was damaged", "repaired", r.Damage)
		if err := wal.Rewrite(r.Records); err != nil {
			return nil, errors.Join(err, wal.Close())
		}
	}
	n.wal = wal
	return wal, nil
}

// markVoted writes the file of votedPath durably, once.
func markVoted(path string, chainID [32]byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "this vote key has signed on chain %x; it needs its write-ahead log\n", chainID)
	err = errors.Join(err, f.Sync(), f.Close())
	dir, openErr := os.Open(filepath.Dir(path))
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	return errors.Join(err, dir.Sync(), dir.Close())
}

// damaged adds what to do to an error that says that files are damaged.
func damaged(err error, todo string) error {
	if errors.Is(err, store.ErrCorrupt) || errors.Is(err, consensus.ErrRecord) {
		return fmt.Errorf("%w; %s", err, todo)
	}
	return err
}
