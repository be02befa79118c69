// SPDX-License-Identifier: Apache-2.0

package disktest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/openledger/openledger/node/store"
)

// Errors of a disk that fails as planned.
var (
	// ErrCrash: the machine is dead. Every later operation fails with it until
	// Revive or LosePower.
	ErrCrash = errors.New("the machine has crashed")
	// ErrFull: no space is left. What fitted was written.
	ErrFull = errors.New("no space left on device")
	// ErrSync: the disk could not make durable what was written since the last
	// Sync of the file. What of it is there nobody knows.
	ErrSync = errors.New("input/output error")
)

// sector is what a disk writes whole or not at all.
const sector = 512

// Disk is a folder of files on a disk that can fail. It implements store.Files,
// and all methods are safe for concurrent use. The random numbers decide what a
// power loss takes.
type Disk struct {
	mu    sync.Mutex
	rng   *rand.Rand
	files map[string]*file // as a process sees it
	names map[string]*file // as it is after a power loss: of the last Sync of the folder
	fuse  int
	dead  bool
	room  int // bytes that can still be written, negative for any number
	syncs int // until a Sync fails, 0 for never
	ops   int
	life  int // processes so far
}

// file is one file: what a process reads, what is durable, and in between.
type file struct {
	now     []byte
	durable []byte
	pending []change
	open    bool
}

// change is a write, or with nil bytes a cut at the offset.
type change struct {
	offset int64
	b      []byte
}

// New returns an empty disk.
func New(rng *rand.Rand) *Disk {
	return &Disk{rng: rng, files: map[string]*file{}, names: map[string]*file{}, room: -1}
}

// Plan makes the machine die at the operation with that number from now on,
// before it is carried out; 0 for never.
func (d *Disk) Plan(operations int) { d.with(func() { d.fuse = operations }) }

// Fill leaves room for so many bytes; negative for any number.
func (d *Disk) Fill(room int) { d.with(func() { d.room = room }) }

// FailSync makes the Sync of a file with that number from now on fail.
func (d *Disk) FailSync(number int) { d.with(func() { d.syncs = number }) }

// Ops is how many operations the disk has seen.
func (d *Disk) Ops() (n int) { d.with(func() { n = d.ops }); return n }

// Kill ends the process: every operation fails until Revive or LosePower.
func (d *Disk) Kill() { d.with(func() { d.dead = true }) }

// Revive lets a new process use the disk. It sees everything that the old one
// wrote, as after kill -9.
func (d *Disk) Revive() {
	d.with(func() {
		d.dead, d.fuse, d.room, d.syncs = false, 0, -1, 0
		d.life++
		for _, f := range d.files {
			f.open = false
		}
	})
}

// LosePower is Revive after a power loss: of each write since the last Sync of its
// file all sectors, some or none are there, in any combination, and of each
// creation and removal since the last Sync of the folder it is random whether it
// happened.
func (d *Disk) LosePower() {
	d.with(func() {
		names := map[string]*file{}
		for _, name := range slices.Sorted(maps.Keys(d.files)) {
			if _, ok := d.names[name]; ok || d.rng.IntN(2) == 0 {
				names[name] = d.files[name]
			}
		}
		for _, name := range slices.Sorted(maps.Keys(d.names)) {
			if _, ok := d.files[name]; !ok && d.rng.IntN(2) == 0 {
				names[name] = d.names[name]
			}
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			names[name].lose(d.rng)
		}
		d.files, d.names = names, maps.Clone(names)
	})
	d.Revive()
}

// lose applies a random part of the pending changes to the durable content.
func (f *file) lose(rng *rand.Rand) {
	mode := rng.IntN(3) // all, a beginning, or any sectors
	end := len(f.pending)
	if mode == 1 {
		end = rng.IntN(end + 1)
	}
	b := f.durable
	for _, c := range f.pending[:end] {
		switch {
		case mode < 2:
			b = apply(b, c)
		case c.b == nil:
			if rng.IntN(2) == 0 {
				b = apply(b, c)
			}
		default:
			for at := int64(0); at < int64(len(c.b)); {
				n := min(sector-(c.offset+at)%sector, int64(len(c.b))-at)
				if rng.IntN(2) == 0 {
					b = apply(b, change{c.offset + at, c.b[at : at+n]})
				}
				at += n
			}
		}
	}
	f.durable, f.now, f.pending = b, bytes.Clone(b), nil
}

// apply returns b with the change; a gap is filled with zeros.
func apply(b []byte, c change) []byte {
	if c.b == nil {
		return slices.Clone(b[:min(c.offset, int64(len(b)))])
	}
	if grow := c.offset + int64(len(c.b)) - int64(len(b)); grow > 0 {
		b = append(b, make([]byte, grow)...)
	}
	copy(b[c.offset:], c.b)
	return b
}

// Image is the content of a disk at one time.
type Image map[string][]byte

// Save copies what a process sees.
func (d *Disk) Save() Image {
	out := Image{}
	d.with(func() {
		for name, f := range d.files {
			out[name] = bytes.Clone(f.now)
		}
	})
	return out
}

// Load replaces all content, durably, as an operator does who puts back a copy;
// nil empties the disk.
func (d *Disk) Load(i Image) {
	d.with(func() {
		d.files = map[string]*file{}
		for name, b := range i {
			d.files[name] = &file{now: bytes.Clone(b), durable: bytes.Clone(b)}
		}
		d.names = maps.Clone(d.files)
	})
	d.Revive()
}

// Change lets f damage the content of a file, durably.
func (d *Disk) Change(name string, f func(b []byte)) {
	d.with(func() { x := d.files[name]; f(x.now); x.durable, x.pending = bytes.Clone(x.now), nil })
}

func (d *Disk) with(f func()) { d.mu.Lock(); defer d.mu.Unlock(); f() }

// burn counts an operation and reports a dead machine.
func (d *Disk) burn() error {
	d.ops++
	if d.fuse > 0 {
		d.fuse--
		d.dead = d.dead || d.fuse == 0
	}
	if d.dead {
		return ErrCrash
	}
	return nil
}

// List implements store.Files.
func (d *Disk) List() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.files)), d.burn()
}

// Open implements store.Files.
func (d *Disk) Open(name string, create bool) (store.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.burn(); err != nil {
		return nil, err
	}
	f := d.files[name]
	switch {
	case create && f != nil:
		return nil, fmt.Errorf("%s: %w", name, fs.ErrExist)
	case create:
		f = &file{}
		d.files[name] = f
	case f == nil:
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case f.open:
		return nil, fmt.Errorf("%s: %w", name, store.ErrLocked)
	}
	f.open = true
	return &handle{d, f, d.life}, nil
}

// Read implements store.Files.
func (d *Disk) Read(name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.burn(); err != nil {
		return nil, err
	}
	f := d.files[name]
	if f == nil {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return bytes.Clone(f.now), nil
}

// Remove implements store.Files.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.burn(); err != nil {
		return err
	}
	delete(d.files, name)
	return nil
}

// Sync implements store.Files.
func (d *Disk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.burn(); err != nil {
		return err
	}
	d.names = maps.Clone(d.files)
	return nil
}

// Replace writes a small file by way of a new one and a rename, durably: after a
// crash the old or the new content is there. It is how a guard is written.
func (d *Disk) Replace(name string, b []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.dead
	err := d.burn()
	if was || err != nil && d.rng.IntN(2) == 0 {
		return ErrCrash
	}
	f := &file{now: bytes.Clone(b), durable: bytes.Clone(b)}
	d.files[name], d.names[name] = f, f
	return err
}

// handle is an open file.
type handle struct {
	d    *Disk
	f    *file
	life int // of the process that opened it
}

// burn counts an operation; a handle of a process that has died is of no use.
func (h *handle) burn() error {
	if h.life != h.d.life {
		return ErrCrash
	}
	return h.d.burn()
}

// WriteAt implements store.File.
func (h *handle) WriteAt(b []byte, offset int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.burn(); err != nil {
		return 0, err
	}
	n := len(b)
	if h.d.room >= 0 {
		n = min(n, h.d.room)
		h.d.room -= n
	}
	c := change{offset, bytes.Clone(b[:n])}
	h.f.now, h.f.pending = apply(h.f.now, c), append(h.f.pending, c)
	if n < len(b) {
		return n, ErrFull
	}
	return n, nil
}

// Truncate implements store.File.
func (h *handle) Truncate(size int64) error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.burn(); err != nil {
		return err
	}
	c := change{offset: size}
	h.f.now, h.f.pending = apply(h.f.now, c), append(h.f.pending, c)
	return nil
}

// Sync implements store.File.
func (h *handle) Sync() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.burn(); err != nil {
		return err
	}
	if h.d.syncs > 0 {
		if h.d.syncs--; h.d.syncs == 0 {
			h.f.lose(h.d.rng) // and what is gone is not found missing by a later Sync
			return ErrSync
		}
	}
	for _, c := range h.f.pending {
		h.f.durable = apply(h.f.durable, c)
	}
	h.f.pending = nil
	return nil
}

// Close implements store.File.
func (h *handle) Close() error {
	h.d.with(func() { h.f.open = h.f.open && h.life != h.d.life })
	return nil
}
