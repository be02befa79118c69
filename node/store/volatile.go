// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"math/rand/v2"
	"sort"
	"sync"
)

// ErrCrash is what a [Volatile] answers once the machine has died.
var ErrCrash = errors.New("the machine has crashed")

// Volatile is a database in memory that outlives the processes that use it and can
// lose what was not synced, for simulations of whole nodes (CONS-60). One process
// has it open at a time. All methods are safe for concurrent use.
type Volatile struct {
	mu      sync.Mutex
	engines [2]*memory // ledger, index
	undo    []undo     // writes since the last sync, oldest first
	life    int        // processes so far
	fuse    int        // operations until the machine dies, 0 for never
	part    int        // of the write at which it dies, so many entries are there, in hundredths
	dead    bool
	ops     int
}

// undo takes one write of one key back.
type undo struct {
	e   *memory
	key string
	ts  uint64
	old *version // nil: there was none of that time
}

// NewVolatile returns an empty database.
func NewVolatile() *Volatile {
	return &Volatile{engines: [2]*memory{newMemory(), newMemory()}}
}

// Open is what a process does when it starts. What an earlier one had open is of
// no use any more. Errors: as those of Open, ErrCrash if the machine dies meanwhile.
func (v *Volatile) Open() (*Store, error) {
	v.mu.Lock()
	v.life++
	a, b := &volatileEngine{v, v.engines[0], v.life}, &volatileEngine{v, v.engines[1], v.life}
	v.mu.Unlock()
	return start(a, b)
}

// Plan makes the machine die at the write or sync with that number from now on, 0
// for never; of the entries of a write the given hundredths are there then.
func (v *Volatile) Plan(operations, hundredths int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fuse, v.part = operations, hundredths
}

// Ops is how many writes and syncs there were.
func (v *Volatile) Ops() int { v.mu.Lock(); defer v.mu.Unlock(); return v.ops }

// Kill ends the process that has the database open: every operation fails.
func (v *Volatile) Kill() { v.mu.Lock(); defer v.mu.Unlock(); v.dead = true }

// Revive lets a new process open the database with all that was written.
func (v *Volatile) Revive() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dead, v.fuse = false, 0
	v.life++
}

// LosePower is Revive after a power loss. Half of the time the database is what it
// was at its last sync, else an end of random length of what was written since is
// gone.
func (v *Volatile) LosePower(rng *rand.Rand) {
	v.mu.Lock()
	keep := 0
	if rng.IntN(2) == 0 {
		keep = rng.IntN(len(v.undo) + 1)
	}
	for i := len(v.undo) - 1; i >= keep; i-- {
		u := &v.undo[i]
		u.e.replace(u.key, u.ts, u.old)
	}
	v.undo = nil // what is left has reached the disk
	v.mu.Unlock()
	v.Revive()
}

// burn counts a write or sync; the lock is held.
func (v *Volatile) burn(life int) error {
	v.ops++
	if v.fuse > 0 {
		v.fuse--
		v.dead = v.dead || v.fuse == 0
	}
	if v.dead || life != v.life {
		return ErrCrash
	}
	return nil
}

// volatileEngine is one engine as one process has it open.
type volatileEngine struct {
	v *Volatile
	*memory
	life int
}

func (e *volatileEngine) alive() error {
	e.v.mu.Lock()
	defer e.v.mu.Unlock()
	if e.v.dead || e.life != e.v.life {
		return ErrCrash
	}
	return nil
}

func (e *volatileEngine) get(key []byte, ts uint64) ([]byte, error) {
	if err := e.alive(); err != nil {
		return nil, err
	}
	return e.memory.get(key, ts)
}

func (e *volatileEngine) scan(prefix, after []byte, ts uint64, visit func(key, value []byte) bool) error {
	if err := e.alive(); err != nil {
		return err
	}
	return e.memory.scan(prefix, after, ts, visit)
}

func (e *volatileEngine) write(ts uint64, entries []entry) error {
	e.v.mu.Lock()
	defer e.v.mu.Unlock()
	was := e.v.dead || e.life != e.v.life
	err := e.v.burn(e.life)
	if err != nil {
		if was {
			return err
		}
		entries = entries[:len(entries)*e.v.part/100]
	}
	for _, x := range entries {
		e.v.undo = append(e.v.undo, undo{e.memory, string(x.key), ts, e.memory.exact(string(x.key), ts)})
	}
	return errors.Join(e.memory.write(ts, entries), err)
}

func (e *volatileEngine) sync(mark uint64) error {
	e.v.mu.Lock()
	defer e.v.mu.Unlock()
	if err := e.v.burn(e.life); err != nil {
		return err
	}
	e.v.undo = nil
	return e.memory.sync(mark)
}

// discard keeps everything: what was given up could be needed after a power loss.
func (e *volatileEngine) discard(uint64) error { return e.alive() }

func (e *volatileEngine) close() error { return nil }

// exact returns the version of a key written at time ts, nil if there is none.
func (m *memory) exact(k string, ts uint64) *version {
	m.mu.RLock()
	defer m.mu.RUnlock()
	vs := m.values[k]
	if i := sort.Search(len(vs), func(i int) bool { return vs[i].ts >= ts }); i < len(vs) && vs[i].ts == ts {
		v := vs[i]
		return &v
	}
	return nil
}

// replace puts an earlier version of time ts back, or with nil removes it.
func (m *memory) replace(k string, ts uint64, old *version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	vs := m.values[k]
	i := sort.Search(len(vs), func(i int) bool { return vs[i].ts >= ts })
	switch {
	case old != nil:
		vs[i] = *old
	case len(vs) > 1:
		m.values[k] = append(vs[:i:i], vs[i+1:]...)
	default:
		delete(m.values, k)
		at := sort.SearchStrings(m.keys, k)
		m.keys = append(m.keys[:at:at], m.keys[at+1:]...)
	}
}
