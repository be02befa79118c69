// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/openledger/openledger/node/driver"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/node/member"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/node/votelog"
)

// walDir is the folder of the write-ahead log.
func (n *Node) walDir() string { return filepath.Join(n.cfg.Home, "wal") }

// votedPath is the mark that versions without a guard left beside a key that has
// voted.
func (n *Node) votedPath() string {
	pub := n.cfg.Validator.Public()
	return filepath.Join(n.cfg.Home, "keys", fmt.Sprintf("voted-%x", pub[:8]))
}

// votelog says where the log of this validator and its guard lie.
func (n *Node) votelog() votelog.Config {
	_, err := os.Stat(n.votedPath())
	return votelog.Config{Files: store.Dir(n.walDir()), Guard: keystore.GuardPath(filepath.Join(n.cfg.Home, "keys"), n.cfg.Validator.Public()),
		ID:    keystore.GuardID{Key: n.cfg.Validator.Public(), ChainID: n.chain.Env().ChainID, Machine: keystore.MachineID()},
		Voted: err == nil, Log: n.log}
}

// openLog opens the write-ahead log and puts its records into cfg. Errors:
// *votelog.Lost, store.ErrLocked, those of the file system.
func (n *Node) openLog(cfg *driver.Config) (driver.Log, error) {
	l, err := member.OpenLog(n.votelog())(cfg)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(n.votedPath()); err != nil && !errors.Is(err, fs.ErrNotExist) { // the guard knows now
		n.log.Warn("remove the old mark of a key that has voted", "err", err)
	}
	return l, nil
}

// restartLog makes room for a new log. One that cannot be trusted is moved out of
// the way, for whoever wants to look into it.
func (n *Node) restartLog(epoch, certified uint64, word bool) (bound uint64, err error) {
	logs, err := filepath.Glob(filepath.Join(n.walDir(), "wal-*.log"))
	for i := 1; err == nil && len(logs) > 0; i++ {
		to := fmt.Sprintf("%s-lost-%d", n.walDir(), i)
		if _, err := os.Stat(to); errors.Is(err, fs.ErrNotExist) {
			if err := os.Rename(n.walDir(), to); err != nil {
				return 0, err
			}
			n.log.Warn("the old write-ahead log is kept", "as", to)
			break
		}
	}
	if err != nil {
		return 0, err
	}
	return votelog.Restart(n.votelog(), epoch, certified, word)
}

// damaged adds what to do to an error that says that files are damaged.
func damaged(err error, todo string) error {
	if errors.Is(err, store.ErrCorrupt) {
		return fmt.Errorf("%w; %s", err, todo)
	}
	return err
}
