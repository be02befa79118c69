// SPDX-License-Identifier: Apache-2.0

package quota_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/openledger/openledger/node/quota"
)

const mib, gib = 1 << 20, 1 << 30

// disk is a disk with a home on it; the sizes are bytes.
type disk struct {
	total, others             uint64
	blobs, snapshots, history uint64
	state                     uint64 // keys, log, state of the head
	deleted                   []string
	low                       bool
	broken                    error
}

func (d *disk) used() uint64 { return d.blobs + d.snapshots + d.history + d.state }

func (d *disk) keeper(limit uint64) *quota.Keeper {
	step := func(name string, size *uint64) quota.Step {
		return quota.Step{Name: name, Free: func(want uint64) (uint64, error) {
			n := min(want, *size)
			*size -= n
			d.deleted = append(d.deleted, name)
			return n, nil
		}}
	}
	return quota.New(quota.Config{Max: limit, Used: func() (uint64, error) { return d.used(), nil },
		Free:  func() (uint64, uint64, error) { return d.total - d.others - d.used(), d.total, d.broken },
		Steps: []quota.Step{step("blobs", &d.blobs), step("snapshots", &d.snapshots), step("history", &d.history)},
		Low:   func(low bool) { d.low = low }})
}

func TestNODE01WhatIsDeletedWhen(t *testing.T) {
	for _, c := range []struct {
		name    string
		d       disk
		limit   uint64
		deleted []string
		left    uint64 // bytes of the home
		low     bool
		stop    bool
	}{
		{"a home within its bound is left alone", disk{total: 100 * gib, blobs: 5 * gib, state: gib}, 10 * gib, nil, 6 * gib, false, false},
		{"blobs go first and no more than needed", disk{total: 100 * gib, blobs: 5 * gib, snapshots: gib, state: gib}, 4 * gib, []string{"blobs"}, 4 * gib, false, false},
		{"then snapshots, then history", disk{total: 100 * gib, blobs: gib, snapshots: gib, history: 5 * gib, state: gib}, 3 * gib,
			[]string{"blobs", "snapshots", "history"}, 3 * gib, false, false},
		{"state is never deleted, though it is more than the bound", disk{total: 100 * gib, blobs: gib, state: 4 * gib}, 2 * gib,
			[]string{"blobs", "snapshots", "history"}, 4 * gib, false, false},
		{"no bound", disk{total: 100 * gib, blobs: 50 * gib}, 0, nil, 50 * gib, false, false},
		{"less than 2 GiB free stops blobs", disk{total: 20 * gib, others: 18*gib + 1, state: mib}, 0, nil, mib, true, false},
		{"less than a twentieth free stops blobs", disk{total: 100 * gib, others: 95 * gib, state: mib}, 0, nil, mib, true, false},
		{"nearly full: what may go goes", disk{total: 100 * gib, others: 98 * gib, blobs: gib, state: 900 * mib}, 0, []string{"blobs"}, gib + 900*mib - 388*mib, true, false},
		{"nearly full and nothing may go: the node stops", disk{total: 100 * gib, others: 99 * gib, state: 900 * mib}, 0,
			[]string{"blobs", "snapshots", "history"}, 900 * mib, true, true},
	} {
		d := c.d
		err := d.keeper(c.limit).Turn()
		if errors.Is(err, quota.ErrFull) != c.stop || err != nil && !c.stop {
			t.Errorf("%s: %v", c.name, err)
		}
		if !slices.Equal(d.deleted, c.deleted) || d.used() != c.left || d.low != c.low {
			t.Errorf("%s: deleted %v, left %d MiB, want %d, low %v", c.name, d.deleted, d.used()/mib, c.left/mib, d.low)
		}
	}
}

func TestBlobsAreWrittenAgainWhenThereIsRoom(t *testing.T) {
	d := &disk{total: 100 * gib, others: 96 * gib}
	k := d.keeper(0)
	if err := k.Turn(); err != nil || !d.low {
		t.Fatal(err, d.low)
	}
	d.others = 50 * gib
	if err := k.Turn(); err != nil || d.low {
		t.Fatal(err, d.low)
	}
	d.broken = errors.New("input/output error")
	if err := k.Turn(); !errors.Is(err, d.broken) {
		t.Fatal(err)
	}
}

func TestAFolderIsMeasured(t *testing.T) {
	dir := t.TempDir()
	before, err := quota.Used(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a"), bytes.Repeat([]byte{1}, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if after, err := quota.Used(dir); err != nil || after < before {
		t.Fatal(before, after, err)
	}
	if free, total, err := quota.FreeSpace(dir); err != nil || free == 0 || total < free {
		t.Fatal(free, total, err)
	}
	if _, _, err := quota.FreeSpace(filepath.Join(dir, "none")); err == nil {
		t.Fatal("a folder that is not there has room")
	}
}
