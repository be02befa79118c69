// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/tx"
)

// ErrBundle reports a file that no node can join with.
var ErrBundle = errors.New("invalid network file")

const maxFile = 8 << 20

// Bundle is the content of a network file.
type Bundle struct {
	Network   string   `json:"network"`
	ChainID   tx.ID    `json:"chain_id"`
	Genesis   []byte   `json:"genesis"` // canonical bytes
	Bootstrap []string `json:"bootstrap"`
}

// New makes the bundle of a network.
func New(doc genesis.Doc, bootstrap []string) Bundle {
	return Bundle{Network: doc.Network, ChainID: doc.ChainID(), Genesis: doc.Encode(), Bootstrap: bootstrap}
}

// Doc returns the checked genesis document. Errors: ErrBundle.
func (b Bundle) Doc() (genesis.Doc, error) {
	doc, err := genesis.Decode(b.Genesis)
	if err != nil {
		return doc, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	if tx.ID(doc.ChainID()) != b.ChainID {
		return doc, fmt.Errorf("%w: the genesis is of chain %v, the file says %v", ErrBundle, tx.ID(doc.ChainID()), b.ChainID)
	}
	return doc, nil
}

// Save writes the bundle to path.
func (b Bundle) Save(path string) error {
	out, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(out, '\n'), 0o644)
}

// Load reads and checks the bundle at path. Errors: ErrBundle.
func Load(path string) (Bundle, error) {
	f, err := os.Open(path)
	if err != nil {
		return Bundle{}, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil || len(b) > maxFile {
		return Bundle{}, fmt.Errorf("%w: %s: unreadable or larger than %d bytes", ErrBundle, path, maxFile)
	}
	out, err := Parse(b)
	if err != nil {
		return out, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// Parse reads and checks the JSON of a bundle. Errors: ErrBundle.
func Parse(b []byte) (Bundle, error) {
	var out Bundle
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		return Bundle{}, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	_, err := out.Doc()
	return out, err
}
