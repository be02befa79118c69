// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
)

// Base is the block at which a ledger begins that was not built from genesis: the
// state after it came as a snapshot. Blocks below it are not there.
type Base struct {
	_            struct{} `cbor:",toarray"`
	Height       uint64
	ReceiptsRoot [32]byte // after the block; its receipts did not travel
}

// Snapshot is a whole state to import.
type Snapshot struct {
	Base          Base
	HeaderHash    [32]byte // of the block of Base.Height
	HeaderAndCert []byte   // its header with a finalization that covers it
	Genesis       []byte   // header of height 0, as committed
	Root          [32]byte // state root after the block, certified
	Depth         uint64   // of the parts in nibbles
	// Part returns all entries of one subtree; it is called once per subtree in
	// ascending order, and what it returned is not kept.
	Part func(p merkle.Prefix) ([]merkle.KV, error)
}

// Directories of an import beside the ledger. A ledger under newDir is complete;
// the next Open puts it in place of the old one.
const (
	importDir = "ledger.import" // unfinished
	newDir    = "ledger.new"    // complete and durable
	oldDir    = "ledger.old"    // replaced
)

// Import builds a ledger that begins with the snapshot, beside the one in dir,
// which may stay open and is not touched. The next Open uses the new one and
// removes the old one with its blocks. A crash at any time leaves the old ledger
// or the complete new one (STA-09). Memory: one part and its tree nodes.
//
// Errors: merkle.ErrRoot if the parts together have another root, errors of Part
// and of the database. Spec: STA-09, CONS-48.
func Import(dir string, o Options, s Snapshot) error {
	tmp := filepath.Join(dir, importDir)
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	e, err := openBadger(tmp, ledgerProfile(o), o.Logger)
	if err != nil {
		return fmt.Errorf("open %s: %w", tmp, err)
	}
	if err := errors.Join(load(e, s), e.close()); err != nil {
		return errors.Join(fmt.Errorf("import the state of height %d: %w", s.Base.Height, err), os.RemoveAll(tmp))
	}
	if err := os.RemoveAll(filepath.Join(dir, newDir)); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir, newDir)); err != nil {
		return err
	}
	return syncDir(dir)
}

// load writes the snapshot into an empty engine, the head marker last.
func load(e engine, s Snapshot) error {
	ts := timeOf(s.Base.Height)
	if err := e.write(beforeGenesis, []entry{{[]byte(keyFormat), enc.Encode(uint64(format))}}); err != nil {
		return err
	}
	b := merkle.NewBuilder(s.Base.Height, s.Depth)
	for i := range merkle.Count(s.Depth) {
		kvs, err := s.Part(merkle.Prefix{Depth: s.Depth, Index: i})
		if err != nil {
			return err
		}
		nodes, err := b.Add(kvs)
		if err != nil {
			return err
		}
		if err := e.write(ts, append(prefixedAll(prefixState, kvs), prefixedAll(prefixNode, nodes)...)); err != nil {
			return err
		}
	}
	root, nodes, err := b.Root()
	if err != nil {
		return err
	}
	if root.Hash != s.Root {
		return fmt.Errorf("the parts hash to %x, want %x: %w", root.Hash, s.Root, merkle.ErrRoot)
	}
	rest := append(prefixedAll(prefixNode, nodes),
		entry{[]byte(keyBase), enc.Encode(s.Base)}, entry{[]byte(keyFloor), enc.Encode(s.Base.Height)},
		entry{heightKey(prefixHeader, 0), notNil(s.Genesis)}, entry{heightKey(prefixHeader, s.Base.Height), notNil(s.HeaderAndCert)})
	if err := e.write(ts, rest); err != nil {
		return err
	}
	if err := e.write(ts, []entry{{[]byte(keyHead), encodeHead(Head{Height: s.Base.Height, HeaderHash: s.HeaderHash, Root: root})}}); err != nil {
		return err
	}
	return e.sync(ts)
}

func prefixedAll(prefix string, kvs []merkle.KV) []entry {
	out := make([]entry, len(kvs))
	for i, kv := range kvs {
		out[i] = entry{prefixed(prefix, kv.Key), notNil(kv.Value)}
	}
	return out
}

// adopt puts a complete imported ledger in place of the old one and removes what
// is left of others. After a crash in between it goes on where it was.
func adopt(dir string) error {
	at := func(name string) string { return filepath.Join(dir, name) }
	_, err := os.Stat(at(newDir))
	switch {
	case err == nil:
		if err := os.RemoveAll(at(oldDir)); err != nil {
			return err
		}
		if err := os.Rename(at("ledger"), at(oldDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Rename(at(newDir), at("ledger")); err != nil {
			return err
		}
		if err := syncDir(dir); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return errors.Join(os.RemoveAll(at(oldDir)), os.RemoveAll(at(importDir)))
}

// loadBase reads where the ledger begins.
func (s *Store) loadBase() error {
	b, err := s.ledger.get([]byte(keyBase), latest)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		err = enc.Decode(b, &s.base)
	}
	if err != nil {
		return fmt.Errorf("base marker %x: %w: %w", b, err, ErrCorrupt)
	}
	return nil
}

// Base returns the block at which this ledger begins: height 0 for one that was
// built from genesis.
func (s *Store) Base() Base { return s.base }
