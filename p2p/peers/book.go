// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"math"
	"sync"
	"time"
)

// Score changes of P2P-12, in points. Misbehaviour is passed to Book.Add as a
// negative number.
const (
	WrongUnit   = 500.0 // a blob unit or page that does not verify
	InvalidSync = 200.0 // a block, header or certificate that is wrong
	Timeout     = 50.0  // a promised answer that did not come
	UsefulMiB   = 1.0   // one verified MiB received
)

// Bounds of the book.
const (
	MinScore   = -2000.0          // lowest application score
	MaxScore   = 200.0            // highest application score
	BanBelow   = -2500.0          // a total below this for BanAfter is a ban
	BanAfter   = 60 * time.Second // see BanBelow
	BanFirst   = time.Hour        // first ban; doubled on repeat
	BanMax     = 24 * time.Hour   // longest ban
	halfLife   = time.Hour        // scores halve in this time
	maxEntries = 4096             // peers remembered at once
	maxAddrs   = 8                // addresses kept per peer
	maxAddrLen = 256              // bytes of one address
)

// BookConfig configures NewBook. The zero value gives a book in memory.
type BookConfig struct {
	File string           // where addresses and bans survive a restart; empty: nowhere
	Now  func() time.Time // nil means time.Now
}

// Book remembers peers: application score, bans and addresses. Safe for
// concurrent use; one mutex, never held across a call out. At most 4,096 peers
// are kept, the longest unseen go first, banned ones last. Spec: P2P-07, P2P-12.
type Book struct {
	cfg BookConfig

	mu      sync.Mutex
	entries map[ID]*entry
}

type entry struct {
	score    float64
	scoreAt  time.Time
	lowSince time.Time // total below BanBelow since; zero: not
	banUntil time.Time
	bans     int
	seen     time.Time // last time the peer was up
	addrs    []string  // full addresses, newest first
}

// NewBook returns a book with the contents of cfg.File. A file that is missing
// or damaged gives an empty book: it is a cache, the bootstrap list replaces it.
func NewBook(cfg BookConfig) *Book {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	b := &Book{cfg: cfg, entries: make(map[ID]*entry)}
	b.load()
	return b
}

// Add changes the application score of id by delta points, bounded to
// [MinScore, MaxScore]. Spec: P2P-12.
func (b *Book) Add(id ID, delta float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.get(id)
	now := b.cfg.Now()
	e.score = max(MinScore, min(MaxScore, e.decayed(now)+delta))
	e.scoreAt = now
}

// Score returns the decayed application score of id in points; 0 if unknown.
func (b *Book) Score(id ID) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[id]; e != nil {
		return e.decayed(b.cfg.Now())
	}
	return 0
}

// Observe takes the peer's total gossip score, which includes Score. It bans
// the peer and returns true when the total was below BanBelow for BanAfter; the
// caller then closes the connection. Spec: P2P-12.
func (b *Book) Observe(id ID, total float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[id]
	if total >= BanBelow {
		if e != nil {
			e.lowSince = time.Time{}
		}
		return false
	}
	e = b.get(id)
	now := b.cfg.Now()
	switch {
	case e.lowSince.IsZero():
		e.lowSince = now
	case now.Sub(e.lowSince) >= BanAfter:
		b.ban(e, now)
		return true
	}
	return false
}

// Ban refuses id for an hour, twice as long after each earlier ban, at most a
// day.
func (b *Book) Ban(id ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ban(b.get(id), b.cfg.Now())
}

func (b *Book) ban(e *entry, now time.Time) {
	d := BanMax
	if e.bans < 5 {
		d = min(BanMax, BanFirst<<e.bans)
	}
	e.bans++
	e.banUntil = now.Add(d)
	e.lowSince = time.Time{}
}

// Banned reports whether id is refused now.
func (b *Book) Banned(id ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[id]
	return e != nil && b.cfg.Now().Before(e.banUntil)
}

// get returns the entry of id, making room if needed. The caller holds mu.
func (b *Book) get(id ID) *entry {
	if e := b.entries[id]; e != nil {
		return e
	}
	if len(b.entries) >= maxEntries {
		b.evict()
	}
	now := b.cfg.Now()
	e := &entry{scoreAt: now, seen: now}
	b.entries[id] = e
	return e
}

// evict drops the entry that was unseen for longest, an unbanned one if any.
func (b *Book) evict() {
	var worst ID
	var we *entry
	now := b.cfg.Now()
	for id, e := range b.entries {
		if we == nil || e.older(we, now) {
			worst, we = id, e
		}
	}
	delete(b.entries, worst)
}

func (e *entry) older(o *entry, now time.Time) bool {
	if eb, ob := now.Before(e.banUntil), now.Before(o.banUntil); eb != ob {
		return ob
	}
	return e.seen.Before(o.seen)
}

func (e *entry) decayed(now time.Time) float64 {
	d := now.Sub(e.scoreAt)
	if d <= 0 || e.score == 0 {
		return e.score
	}
	return e.score * math.Exp2(-d.Hours()/halfLife.Hours())
}
