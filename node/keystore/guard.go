// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/openledger/openledger/internal/keys"
)

// LeaseViews is how many views one lease of a guard covers: so often costs a guard
// one durable write (CONS-45).
const LeaseViews = 256

// ErrGuard reports a guard that cannot be trusted: unreadable, or of another
// machine, chain or key.
var ErrGuard = errors.New("the double-sign guard cannot be trusted")

// GuardFile keeps a guard's bytes.
type GuardFile interface {
	// Read returns the content. Errors: fs.ErrNotExist.
	Read() ([]byte, error)
	// Replace changes the content durably: after a crash the old or the new one is
	// there, after return the new one.
	Replace(b []byte) error
}

// GuardID says whose guard it is. All three must fit.
type GuardID struct {
	Key     keys.PublicKey // vote key
	ChainID [32]byte
	Machine string // of MachineID; equal strings are the same machine
}

// Lease is what a guard remembers. Views are those of Epoch; of later epochs
// nothing was signed.
type Lease struct {
	Epoch uint64
	Start uint64 // the log holds a view of at least this; 0: it may be empty
	End   uint64 // nothing of a later view was signed
	B     uint64 // nothing of a view up to this is to be signed any more; 0: no bound
	Lost  uint64 // nothing of an earlier epoch is to be signed: its log was lost
	Word  uint64 // Nullify alone may be signed of views from this one up to B; 0: of none
	Final uint64 // but of none up to this, the last that the key finalized and its log forgot
}

// Guard is the double-sign guard beside a vote key (NODE-03, CONS-45): the log says
// what was signed, the guard says how far the log must reach. It belongs to one
// goroutine at a time.
type Guard struct {
	file  GuardFile
	id    GuardID
	lease Lease
}

// NewGuard returns a guard with a lease, durably. It replaces any other.
func NewGuard(file GuardFile, id GuardID, l Lease) (*Guard, error) {
	g := &Guard{file: file, id: id}
	return g, g.keep(l)
}

// OpenGuard reads a guard. Errors: fs.ErrNotExist; ErrGuard says in words what is
// wrong with it.
func OpenGuard(file GuardFile, id GuardID) (*Guard, error) {
	b, err := file.Read()
	if err != nil {
		return nil, err
	}
	var d guardDoc
	body, sum, ok := strings.Cut(string(b), "\n")
	if want := guardSum(body); !ok || strings.TrimSpace(sum) != want || json.Unmarshal([]byte(body), &d) != nil {
		return nil, fmt.Errorf("%w: it is damaged", ErrGuard)
	}
	switch mine := id.doc(Lease{}); {
	case d.Key != mine.Key:
		return nil, fmt.Errorf("%w: it is of another vote key", ErrGuard)
	case d.Chain != mine.Chain:
		return nil, fmt.Errorf("%w: it is of another network", ErrGuard)
	case d.Machine != mine.Machine:
		return nil, fmt.Errorf("%w: it is of another machine", ErrGuard)
	}
	return &Guard{file: file, id: id, lease: d.Lease}, nil
}

// Lease returns what the guard remembers.
func (g *Guard) Lease() Lease { return g.lease }

// Bound is the highest view of an epoch of which nothing is to be signed.
func (g *Guard) Bound(epoch uint64) uint64 {
	switch l := &g.lease; {
	case epoch < l.Lost:
		return math.MaxUint64
	case epoch == l.Epoch:
		return l.B
	}
	return 0
}

// Cover takes a new lease if the one held ends before a view. Call it when Enter of
// the view is durable and before anything signed in the view leaves; most calls
// cost nothing. Views of earlier epochs are not covered: their log is held, or
// nothing of them is signed.
func (g *Guard) Cover(epoch, view uint64) error {
	l := g.lease
	if epoch < l.Epoch || epoch == l.Epoch && view <= l.End {
		return nil
	}
	if epoch > l.Epoch {
		l.Epoch, l.B, l.Word, l.Final = epoch, 0, 0, 0
	}
	l.Start, l.End = view, view+LeaseViews-1
	return g.keep(l)
}

// Forbid adds the views of the lease's epoch up to b to those of which nothing is
// signed, durably. The log goes on, and final is the last view that the key has
// finalized and the log no longer says; 0 for none: Nullify alone may be signed
// above. Views that were forbidden before stay as they are.
func (g *Guard) Forbid(b, final uint64) error {
	l := g.lease
	if l.Word == 0 {
		l.Word = l.B + 1
	}
	l.End, l.B, l.Final = max(l.End, b), max(l.B, b), max(l.Final, final)
	return g.keep(l)
}

// Permit keeps the operator's word, durably: of views of the lease's epoch from
// this one up to B, Nullify alone may be signed. Views from an earlier word on
// stay permitted. No word permits what the key is known to have finalized.
func (g *Guard) Permit(from uint64) error {
	l := g.lease
	if l.Word == 0 || from < l.Word {
		l.Word = max(from, 1)
	}
	return g.keep(l)
}

// Nullify is the first view of an epoch of which Nullify alone may be signed,
// though nothing else up to Bound may; 0 for none.
func (g *Guard) Nullify(epoch uint64) uint64 {
	if l := &g.lease; epoch == l.Epoch && epoch >= l.Lost {
		if l.Word > 0 {
			return max(l.Word, l.Final+1)
		}
	}
	return 0
}

// RestartGuard makes room for an empty log, durably and at once: nothing that the
// lost one may have signed, and nothing of an epoch up to view b, is signed any
// more. A guard that cannot be trusted is replaced.
func RestartGuard(file GuardFile, id GuardID, epoch, b uint64) (*Guard, error) {
	g, err := OpenGuard(file, id)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrGuard):
		g = &Guard{file: file, id: id, lease: Lease{Epoch: epoch}}
	case err != nil:
		return nil, err
	}
	l := g.lease
	if epoch > l.Epoch {
		l.Epoch, l.End, l.B, l.Final = epoch, 0, 0, 0
	} else if epoch < l.Epoch {
		b = 0
	}
	l.B = max(l.B, l.End, b)
	l.Start, l.End, l.Lost, l.Word = 0, l.B, l.Epoch, 0
	return g, g.keep(l)
}

// Holds reports whether a log that ends in a view of an epoch is as new as the
// guard knows it to have been.
func (l Lease) Holds(epoch, view uint64) bool {
	return l.Start == 0 || epoch > l.Epoch || epoch == l.Epoch && view >= l.Start
}

func (g *Guard) keep(l Lease) error {
	body, err := json.Marshal(g.id.doc(l))
	if err != nil {
		return err
	}
	if err := g.file.Replace(fmt.Appendf(nil, "%s\n%s\n", body, guardSum(string(body)))); err != nil {
		return fmt.Errorf("double-sign guard: %w", err)
	}
	g.lease = l
	return nil
}

// guardDoc is the first line of a guard file; the second is its checksum.
type guardDoc struct {
	Key     string
	Chain   string
	Machine string
	Lease   Lease
}

func (id GuardID) doc(l Lease) guardDoc {
	return guardDoc{hex.EncodeToString(id.Key[:]), hex.EncodeToString(id.ChainID[:]), id.Machine, l}
}

func guardSum(body string) string {
	h := sha256.Sum256([]byte(body))
	return hex.EncodeToString(h[:16])
}

// MachineID names this machine without telling more about it: a hash of the id
// that the operating system gives it, empty where there is none.
func MachineID() string {
	b, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(b) == 0 {
		return ""
	}
	h := sha256.Sum256(append([]byte("openledger-machine:"), b...))
	return hex.EncodeToString(h[:8])
}

// GuardPath is the guard file of a vote key in a keys folder.
func GuardPath(dir string, key keys.PublicKey) GuardFile {
	return guardPath(filepath.Join(dir, fmt.Sprintf("guard-%x", key[:8])))
}

// guardPath is a guard file of the operating system.
type guardPath string

// Read implements GuardFile.
func (p guardPath) Read() ([]byte, error) { return readBounded(string(p)) }

// Replace implements GuardFile.
func (p guardPath) Replace(b []byte) error {
	tmp := string(p) + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(tmp, b, 0o600); err != nil {
		return err
	}
	if err := os.Rename(tmp, string(p)); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(string(p)))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
