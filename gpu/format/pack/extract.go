// SPDX-License-Identifier: Apache-2.0

package pack

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/openledger/openledger/gpu/format/safetensors"
)

// shard is the most bytes of one file of weights in a folder.
const shard = 4 << 30

// Extract writes a folder, made if need be, that Folder and, for a model, hf.Open
// read: the small files, then the weights by rename. A crash leaves a folder without
// weights, which both refuse and Extract fills again. Errors: fs.ErrExist if dir holds
// a model or adapters, those of reading and of the file system.
func (p *Package) Extract(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := vacant(dir); err != nil {
		return err
	}
	for _, x := range p.parts() {
		if b := *x.b; b != nil {
			if err := safetensors.WriteFile(filepath.Join(dir, x.name), func(w io.Writer) error { _, err := w.Write(b); return err }); err != nil {
				return err
			}
		}
	}
	root, err := safetensors.Root(p.sources())
	if err != nil {
		return err
	}
	meta := safetensors.Meta{Program: "openledger", Root: root}
	if p.Adapters != nil {
		return safetensors.Save(filepath.Join(dir, AdapterWeights), meta, p.sources())
	}
	return safetensors.SaveFolder(dir, meta, p.sources(), shard)
}

// vacant wants a folder without a model and without adapters.
func vacant(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, AdapterWeights)); err == nil {
		return fmt.Errorf("%s holds adapters (%s): %w; choose another folder", dir, AdapterWeights, fs.ErrExist)
	}
	return safetensors.Vacant(dir)
}
