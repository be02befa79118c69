// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/poa/lineage"
)

// MaxManifest bounds a manifest in bytes.
const MaxManifest = 16 << 10

// Formats of a dataset's bytes.
const (
	FormatTable = 1 // CSV, integer cells 0..255, last column label
	FormatText  = 2 // UTF-8, no NUL; 0 features, a row is a line that is not blank
)

// ErrManifest reports a manifest or announcement that cannot be right.
var ErrManifest = errors.New("invalid manifest")

// Manifest describes a dataset's bytes. Its SHA-256 content id stands on the
// ledger.
type Manifest struct {
	_        struct{}     `cbor:",toarray"`
	Format   uint64       `json:"format"` // FormatTable or FormatText
	Name     string       `json:"name"`
	Content  content.ID   `json:"content_cid"`
	Bytes    uint64       `json:"bytes"`
	RowRoot  tx.ID        `json:"row_root"`
	Rows     uint64       `json:"rows"`
	Features uint64       `json:"features"`
	Terms    tx.ID        `json:"terms"`
	Owner    keys.Address `json:"owner"`
	Source   string       `json:"source"` // attribution line that the terms demand
}

// Encode returns the canonical bytes.
func (m Manifest) Encode() []byte { return enc.Encode(m) }

// CID is the content id on the ledger.
func (m Manifest) CID() content.ID { return content.SumSHA256(m.Encode()) }

// Decode reads a manifest. Errors: ErrManifest.
func Decode(b []byte) (Manifest, error) {
	var m Manifest
	if len(b) > MaxManifest {
		return m, fmt.Errorf("%w: %d bytes, at most %d", ErrManifest, len(b), MaxManifest)
	}
	if err := enc.Decode(b, &m); err != nil {
		return Manifest{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if m.Format != FormatTable && m.Format != FormatText {
		return Manifest{}, fmt.Errorf("%w: format %d, want %d (a table) or %d (a text)", ErrManifest, m.Format, FormatTable, FormatText)
	}
	if (m.Format == FormatText) != (m.Features == 0) {
		return Manifest{}, fmt.Errorf("%w: format %d with %d features", ErrManifest, m.Format, m.Features)
	}
	return m, nil
}

// Input is what a contributor says about a file.
type Input struct {
	Name   string
	Source string
	Terms  tx.ID
	Owner  keys.Address
}

// Prepare reads CSV bytes and describes them. file names them in errors. Errors:
// *table.Error with line and column, ErrManifest if a cell is no integer 0..255.
func Prepare(file string, csv []byte, in Input) (Manifest, error) {
	t, err := table.Parse(file, csv, table.Options{})
	if err != nil {
		return Manifest{}, err
	}
	if _, ok := t.Uint8(); !ok {
		return Manifest{}, t.NotUint8()
	}
	return in.manifest(FormatTable, csv, lineage.Root(lineage.TableRows(t)), t.Rows, t.Features), nil
}

func (in Input) manifest(format uint64, b []byte, root tx.ID, rows, features int) Manifest {
	return Manifest{Format: format, Name: in.Name, Content: content.Sum(b), Bytes: uint64(len(b)), RowRoot: root,
		Rows: uint64(rows), Features: uint64(features), Terms: in.Terms, Owner: in.Owner, Source: in.Source}
}

// Upload is the transaction payload that registers the dataset.
func (m Manifest) Upload(datanet tx.ID, stake fixed.Amount) *tx.DatasetUpload {
	return &tx.DatasetUpload{Datanet: datanet, Name: m.Name, Content: m.Content, RowRoot: m.RowRoot, Manifest: m.CID(),
		Rows: m.Rows, Features: m.Features, Bytes: m.Bytes, Terms: m.Terms, Stake: stake}
}

// Load checks content bytes against a dataset's record and reads the table.
// Errors: ErrManifest, *table.Error.
func Load(cid content.ID, rowRoot tx.ID, csv []byte) (*table.Table, error) {
	if !cid.Matches(csv) {
		return nil, fmt.Errorf("%w: content does not match %v", ErrManifest, cid)
	}
	t, err := table.Parse(cid.String(), csv, table.Options{})
	if err != nil {
		return nil, err
	}
	if lineage.Root(lineage.TableRows(t)) != rowRoot {
		return nil, fmt.Errorf("%w: rows do not match root %v", ErrManifest, rowRoot)
	}
	return t, nil
}
