// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
)

// File is where the state of a task's run is saved in the folder of a node, made if
// need be; "" if the node has none. Errors: those of the file system.
func File(s Services, id tx.ID) (string, error) {
	dir := s.Folder()
	if dir == "" {
		return "", nil
	}
	return filepath.Join(dir, hex.EncodeToString(id[:])), os.MkdirAll(dir, 0o700)
}

// Sweep deletes what is saved of tasks that this node has nothing to do for any more.
// Errors: those of the file system and of the ledger.
func Sweep(s Services) error {
	dir := s.Folder()
	if dir == "" {
		return nil
	}
	// Files first, then the view: who saves has claimed or was drawn before.
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(list) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	v, err := s.View()
	if err != nil {
		return err
	}
	for _, e := range list {
		name, _, _ := strings.Cut(e.Name(), ".") // what is being renamed has an end
		if id, err := hex.DecodeString(name); err == nil && len(id) == len(tx.ID{}) {
			if t, err := state.GetTask(v, tx.ID(id)); err == nil && busy(t, s.Operator()) {
				continue
			}
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// busy reports whether an operator may be computing a task.
func busy(t task.Task, me keys.Address) bool {
	if t.State == task.Assigned {
		return *t.Operator == me
	}
	for _, c := range t.Checkers {
		if c.Account == me && c.Hash == nil {
			return t.State == task.Committed
		}
	}
	return false
}

// lookEvery is how often a run looks whether its task still waits for it.
const lookEvery = 2 * time.Second

// Stop is for Options: it says to stop when ctx ends, or when nothing waits for the
// task's result any more.
func Stop(ctx context.Context, s Services, id tx.ID) func() bool {
	last := time.Now()
	over := false
	return func() bool {
		if over || ctx.Err() != nil {
			return true
		}
		if time.Since(last) < lookEvery {
			return false
		}
		last = time.Now()
		v, err := s.View()
		if err != nil {
			return false
		}
		t, err := state.GetTask(v, id)
		over = err == nil && !busy(t, s.Operator())
		return over
	}
}

// write replaces a file by rename. It is not synced: a machine that loses power may
// lose the state, which is then found damaged, and the run starts anew.
func write(path string, b []byte) error {
	if err := os.WriteFile(path+".tmp", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
