// SPDX-License-Identifier: Apache-2.0

package votelog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"slices"
	"strings"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/node/store"
)

// Margin is how many views beyond everything known a key without its log abstains
// (CONS-45).
const Margin = 16

// Config says where log and guard lie.
type Config struct {
	Files store.Files        // of the log
	Guard keystore.GuardFile // beside the key
	ID    keystore.GuardID
	// Voted says that an older version has left a mark beside the key: it has voted,
	// and there may be no guard yet.
	Voted bool
	Log   *slog.Logger // nil: none
}

// Lost is the error of a key that may have signed what its log does not say. It
// must abstain: ask the others how far they are, then Restart.
type Lost struct {
	Reason string
	// Epoch and End are what the guard knows of: nothing later was signed from this
	// home. Both are 0 if there is no guard to be trusted.
	Epoch, End uint64
}

// Error implements error.
func (l *Lost) Error() string {
	return "the record of what this key has signed is not whole: " + l.Reason
}

// Contents is what the log holds.
type Contents struct {
	Records []consensus.Record
	Batches [][]byte // of the driver's own kind
}

// place is a view of an epoch.
type place struct{ epoch, view uint64 }

func (p place) below(q place) bool {
	return p.epoch < q.epoch || p.epoch == q.epoch && p.view < q.view
}

// Log is an open log with its guard. It implements the driver's Log and belongs to
// the driver's goroutine.
type Log struct {
	*store.WAL
	guard *keystore.Guard
	top   place // highest view of an own word
	first place // top when the log was opened
	gone  place // words up to here were let go of before
}

// Words reports the kinds of records that say what the key has signed or where it
// stood: the log keeps them twice.
func Words(kind uint8) bool { return kind <= uint8(consensus.RecordFinalize) }

// Open opens or creates log and guard. Errors: *Lost, store.ErrLocked, those of the
// file system.
func Open(cfg Config) (*Log, Contents, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	exists, err := hasLog(cfg.Files)
	if err != nil {
		return nil, Contents{}, err
	}
	g, err := openGuard(cfg, exists)
	if err != nil {
		return nil, Contents{}, err
	}
	if l := g.Lease(); !exists && l.Start > 0 {
		return nil, Contents{}, lost(g, "the write-ahead log is gone")
	}
	wal, replay, err := store.OpenWAL(cfg.Files, Words)
	if errors.Is(err, store.ErrCorrupt) {
		return nil, Contents{}, lost(g, err.Error())
	}
	if err != nil {
		return nil, Contents{}, err
	}
	l := &Log{WAL: wal, guard: g}
	c, err := l.read(cfg, replay)
	if err != nil {
		return nil, Contents{}, errors.Join(err, wal.Close())
	}
	return l, c, nil
}

func hasLog(files store.Files) (bool, error) {
	names, err := files.List()
	for _, name := range names {
		if strings.HasPrefix(name, "wal-") && strings.HasSuffix(name, ".log") {
			return true, err
		}
	}
	return false, err
}

func lost(g *keystore.Guard, reason string) error {
	l := g.Lease()
	return &Lost{Reason: reason, Epoch: l.Epoch, End: l.End}
}

// openGuard reads the guard, or makes one where nothing was signed yet.
func openGuard(cfg Config, exists bool) (*keystore.Guard, error) {
	g, err := keystore.OpenGuard(cfg.Guard, cfg.ID)
	switch {
	case errors.Is(err, keystore.ErrGuard):
		return nil, &Lost{Reason: err.Error()}
	case !errors.Is(err, fs.ErrNotExist):
		return g, err
	case exists && !cfg.Voted: // the guard is there before the log
		return nil, &Lost{Reason: "the double-sign guard is gone"}
	case !exists && cfg.Voted:
		return nil, &Lost{Reason: "the write-ahead log is gone"}
	}
	return keystore.NewGuard(cfg.Guard, cfg.ID, keystore.Lease{}) // new, or of an older version
}

// read sorts the records and compares them with the guard.
func (l *Log) read(cfg Config, r store.Replay) (c Contents, err error) {
	records := make([]consensus.Record, len(r.Records))
	for i, x := range r.Records {
		if x.Kind >= 64 {
			continue
		}
		if records[i], err = consensus.DecodeRecord(x.Payload); err != nil || uint8(records[i].Kind) != x.Kind {
			return c, lost(l.guard, fmt.Sprintf("record %d cannot be read", i))
		}
	}
	kept := r.Records
	if r.Damage != "" {
		cfg.Log.Warn("the write-ahead log was damaged; repaired", "damage", r.Damage)
		if kept, records, err = l.mend(cfg, r, records); err != nil {
			return c, err
		}
	}
	for i, x := range kept {
		if x.Kind >= 64 {
			c.Batches = append(c.Batches, x.Payload)
			continue
		}
		c.Records = append(c.Records, records[i])
		l.note(&records[i])
	}
	l.first = l.top
	if len(c.Records) > 0 && begins(&c.Records[0]) {
		l.gone = place{c.Records[0].Epoch, c.Records[0].View}
	}
	if s := l.guard.Lease(); !s.Holds(l.top.epoch, l.top.view) {
		return c, lost(l.guard, fmt.Sprintf("the write-ahead log ends in view %d of epoch %d, and it had reached view %d of epoch %d: it is an older copy",
			l.top.view, l.top.epoch, s.Start, s.Epoch))
	}
	return c, nil
}

// mend drops the words about blocks that did not survive whole; the guard remembers
// instead that nothing but Nullify is signed of their views, and that neither from
// a view with a dropped Finalize down. All else that came from copies stands.
func (l *Log) mend(cfg Config, r store.Replay, records []consensus.Record) (kept []store.Record, left []consensus.Record, err error) {
	blocks := whole(cfg.ID.ChainID, r, records)
	top, bound, final := max(l.top.epoch, l.guard.Lease().Epoch), uint64(0), uint64(0)
	for i := range records {
		l.note(&records[i])
		top = max(top, l.top.epoch)
	}
	for i, x := range r.Records {
		rec := &records[i]
		if about, ok := subject(rec); !ok || blocks[about] {
			kept, left = append(kept, x), append(left, *rec)
			continue
		}
		if rec.Epoch < top {
			return nil, nil, lost(l.guard, "words of an earlier epoch are damaged")
		}
		if bound = max(bound, rec.View); rec.Kind == consensus.RecordFinalize {
			final = max(final, rec.View)
		}
	}
	if bound > 0 {
		if err := errors.Join(l.guard.Cover(l.top.epoch, bound), l.guard.Forbid(bound, final)); err != nil {
			return nil, nil, err
		}
		// The log goes on to say how far it reached.
		enter := consensus.Record{Kind: consensus.RecordEnter, Epoch: l.top.epoch, View: l.top.view}
		kept, left = append(kept, store.Record{Kind: uint8(enter.Kind), Payload: enter.Encode()}), append(left, enter)
	}
	return kept, left, l.WAL.Rewrite(kept)
}

// subject returns the block that an own word is about; false if the record is no
// word, or about none.
func subject(r *consensus.Record) (h header.Hash, ok bool) {
	switch r.Kind {
	case consensus.RecordPropose:
		copy(h[:], r.Data)
		return h, true
	case consensus.RecordNotarize, consensus.RecordFinalize:
		if m, err := msg.Decode(r.Data); err == nil && m.Vote != nil {
			h = m.Vote.Hash()
		}
		return h, true
	}
	return h, false
}

// whole lists the blocks that the log holds with all of their batches.
func whole(chainID [32]byte, r store.Replay, records []consensus.Record) map[header.Hash]bool {
	batches := map[[32]byte]bool{}
	for _, x := range r.Records {
		if m, err := msg.Decode(x.Payload); x.Kind >= 64 && err == nil && m.Batch != nil {
			batches[m.Batch.Digest(chainID)] = true
		}
	}
	blocks := map[header.Hash]bool{}
	for i := range records {
		if records[i].Kind != consensus.RecordBlock {
			continue
		}
		m, err := msg.Decode(records[i].Data)
		if err == nil && m.Proposal != nil && !slices.ContainsFunc(m.Proposal.Digests, func(d [32]byte) bool { return !batches[d] }) {
			blocks[m.Proposal.Header.Hash()] = true
		}
	}
	return blocks
}

// note remembers the highest view of a word.
func (l *Log) note(r *consensus.Record) {
	if p := (place{r.Epoch, r.View}); Words(uint8(r.Kind)) && l.top.below(p) {
		l.top = p
	}
}

// Restart makes room for a new log of a key that has lost its own: the guard first
// forbids every view up to certified, the highest one that power ≥ q has shown to
// be certified, or up to the end of its lease, and Margin more; then the old log
// is deleted. Move it away before if it is to be kept. With the operator's word
// less power was asked, and Nullify alone may be signed above certified.
func Restart(cfg Config, epoch, certified uint64, word bool) (bound uint64, err error) {
	from := certified + 1
	if g, err := keystore.OpenGuard(cfg.Guard, cfg.ID); err == nil && g.Lease().Epoch == epoch {
		certified = max(certified, g.Lease().End)
	}
	g, err := keystore.RestartGuard(cfg.Guard, cfg.ID, epoch, certified+Margin)
	if err == nil && word && g.Lease().Epoch == epoch {
		err = g.Permit(from)
	}
	if err != nil {
		return 0, err
	}
	names, err := cfg.Files.List()
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if err := cfg.Files.Remove(name); err != nil {
			return 0, err
		}
	}
	return g.Lease().B, cfg.Files.Sync()
}

// Bound is the highest view of an epoch of which nothing is to be signed: B of
// CONS-45, 0 for none.
func (l *Log) Bound(epoch uint64) uint64 { return l.guard.Bound(epoch) }

// Nullify is the first view of an epoch of which Nullify alone may be signed,
// although nothing else up to Bound may; 0 for none.
func (l *Log) Nullify(epoch uint64) uint64 { return l.guard.Nullify(epoch) }

// Gone is the highest view of an epoch of which the log let go of words before it was
// opened, because the ledger was final there. On a ledger that does not reach it,
// which was lost or put back, nothing up to that view is to be signed.
func (l *Log) Gone(epoch uint64) uint64 {
	switch {
	case epoch < l.gone.epoch:
		return math.MaxUint64
	case epoch == l.gone.epoch:
		return l.gone.view
	}
	return 0
}

// Permit keeps the operator's word, durably: from this view of an epoch on up to
// Bound, Nullify alone may be signed. It takes effect in the next core.
func (l *Log) Permit(epoch, from uint64) error {
	if l.guard.Lease().Epoch != epoch {
		return nil
	}
	return l.guard.Permit(from)
}

// Last is the highest view of an own word that the log held when it was opened. A
// peer that shows a later word of the key proves that the log is an older copy,
// or that somebody else signs with the key.
func (l *Log) Last() (epoch, view uint64) { return l.first.epoch, l.first.view }

// Append implements the driver's Log.
func (l *Log) Append(kind uint8, payload []byte) error {
	if Words(kind) {
		r, err := consensus.DecodeRecord(payload)
		if err != nil {
			return err
		}
		l.note(&r)
	}
	return l.WAL.Append(kind, payload)
}

// Sync implements the driver's Log. When it returns, the guard covers what the log
// has entered: a new lease is taken only after its first view is durable.
func (l *Log) Sync() error {
	if err := l.WAL.Sync(); err != nil {
		return err
	}
	if l.top == (place{}) {
		return nil
	}
	return l.guard.Cover(l.top.epoch, l.top.view)
}

// Segment implements the driver's Log. A segment begins by saying where the key
// stands, so that a log without its older segments is not taken for an old copy.
func (l *Log) Segment() (uint64, error) {
	n, err := l.WAL.Segment()
	if err != nil || l.top == (place{}) {
		return n, err
	}
	r := consensus.Record{Kind: consensus.RecordEnter, Epoch: l.top.epoch, View: l.top.view, Data: []byte{beginning}}
	return n, l.WAL.Append(uint8(r.Kind), r.Encode())
}

// beginning is the data of an Enter that begins a segment; others have none.
const beginning = 1

// begins reports whether a record begins a segment, so that, if it is the log's
// first, words up to its view were let go of.
func begins(r *consensus.Record) bool { return r.Kind == consensus.RecordEnter && len(r.Data) > 0 }
