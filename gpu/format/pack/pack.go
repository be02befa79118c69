// SPDX-License-Identifier: Apache-2.0

package pack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/openledger/openledger/gpu/format"
	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/gpu/format/tokenizer"
)

// Names of files of adapters in the layout of PEFT.
const (
	AdapterConfig  = "adapter_config.json"
	AdapterWeights = "adapter_model.safetensors"
)

// Files are the small files of a package: those of a model, or Adapters, the bytes
// of an adapter_config.json, alone.
type Files struct {
	hf.Files
	Adapters []byte
}

// parts are the files by name, with their bounds in bytes.
func (f *Files) parts() []part {
	return []part{{AdapterConfig, hf.MaxConfig, &f.Adapters}, {hf.ConfigName, hf.MaxConfig, &f.Config},
		{hf.TokenizerName, tokenizer.MaxFile, &f.Tokenizer}, {hf.ChatName, hf.MaxChat, &f.Chat}}
}

type part struct {
	name string
	most uint64
	b    *[]byte
}

// check wants the files of one kind.
func (f *Files) check() error {
	model := len(f.Config) > 0 && len(f.Tokenizer) > 0
	switch {
	case len(f.Adapters) > 0 && f.Config == nil && f.Tokenizer == nil && f.Chat == nil:
		_, err := ReadPEFT(f.Adapters)
		return err
	case model && f.Adapters == nil:
		return nil
	}
	return fmt.Errorf("%w: a package holds %s and %s of a model, or %s of adapters", format.ErrFormat, hf.ConfigName, hf.TokenizerName, AdapterConfig)
}

// Package is an open package or folder. Close it when its tensors have been read.
type Package struct {
	Files
	Weights *safetensors.File // the tensors that are no files
}

// New opens the package of size bytes behind r. Cost: header and small files are
// read. Errors: format.ErrFormat, format.ErrUnsupported, those of r. Spec: TNS-06.
func New(r io.ReaderAt, size int64) (*Package, error) {
	f, err := safetensors.New("package", r, size)
	if err != nil {
		return nil, err
	}
	return open(f)
}

// Open opens a package in a file. Errors: as New, and those of the file system.
func Open(path string) (*Package, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	p, err := open(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return p, nil
}

func open(f *safetensors.File) (*Package, error) {
	p := &Package{}
	var names []string
	for _, x := range p.parts() {
		t, ok := f.Lookup(x.name)
		if !ok {
			continue
		}
		if t.DType != safetensors.U8 || len(t.Shape) != 1 || t.Bytes() > x.most || t.Bytes() == 0 {
			return nil, fmt.Errorf("%w: %s in a package is %s %d, wants 1 to %d bytes as U8", format.ErrFormat, x.name, t.DType, t.Shape, x.most)
		}
		*x.b = make([]byte, t.Bytes())
		if err := f.Raw(t, 0, *x.b); err != nil {
			return nil, err
		}
		names = append(names, x.name)
	}
	p.Weights = f.Without(names...)
	if err := p.check(); err != nil {
		return nil, err
	}
	if p.Adapters != nil {
		return p, p.checkAdapters()
	}
	_, err := p.Model()
	return p, err
}

// Folder opens a folder in the layout of HuggingFace, or one of adapters in that of
// PEFT, as a package. Errors: those of hf.Open, of ReadPEFT and of the file system.
func Folder(dir string) (*Package, error) {
	_, err := os.Lstat(filepath.Join(dir, hf.ConfigName))
	if _, e := os.Lstat(filepath.Join(dir, AdapterConfig)); errors.Is(err, fs.ErrNotExist) && e == nil {
		return adapters(dir)
	}
	f, err := hf.Open(dir)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, w := range f.Weights {
		used[w.HF] = true
	}
	var idle []string // what Match lets stand beside the weights
	for _, t := range f.File.Tensors {
		if !used[t.Name] {
			idle = append(idle, t.Name)
		}
	}
	return &Package{Files: Files{Files: f.Files}, Weights: f.File.Without(idle...)}, nil
}

func adapters(dir string) (*Package, error) {
	p := &Package{}
	var err error
	if p.Adapters, err = safetensors.ReadSmall(filepath.Join(dir, AdapterConfig), hf.MaxConfig); err != nil {
		return nil, err
	}
	if p.Weights, err = safetensors.Open(filepath.Join(dir, AdapterWeights)); err != nil {
		return nil, err
	}
	if err := errors.Join(p.check(), p.checkAdapters()); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close closes the files.
func (p *Package) Close() error { return p.Weights.Close() }

// Model is the model, for lm.Load; closing it closes the package. Errors: format.ErrFormat
// (also for adapters), format.ErrUnsupported, hf.ErrArch, those of reading.
func (p *Package) Model() (*hf.Folder, error) {
	if p.Adapters != nil {
		return nil, fmt.Errorf("%w: the package holds adapters, not a whole model", format.ErrFormat)
	}
	return hf.New(p.Files.Files, p.Weights)
}

// sources are the tensors that are no files.
func (p *Package) sources() []safetensors.Source {
	var list []safetensors.Source
	for _, t := range p.Weights.Tensors {
		list = append(list, safetensors.Copy(p.Weights, t, t.Name))
	}
	return list
}

// Root is the root over all tensors, the files among them: WeightsRoot or OutputRoot
// on the ledger. Cost: one pass over all bytes. Errors: those of reading. Spec: TNS-01.
func (p *Package) Root() ([32]byte, error) { return safetensors.Root(all(p.Files, p.sources())) }

// Write writes the package and returns its root. Cost: two passes over all bytes.
// Errors: those of reading and of w.
func (p *Package) Write(w io.Writer) ([32]byte, error) { return Write(w, p.Files, p.sources()) }

// Write writes a package of small files and tensors and returns its root. Equal parts
// give equal bytes. Each tensor is written twice, first into the root. Errors:
// format.ErrFormat for files of no kind, safetensors.ErrSource, those of w and of the
// tensors. Spec: TNS-06.
func Write(w io.Writer, f Files, weights []safetensors.Source) ([32]byte, error) {
	if err := f.check(); err != nil {
		return [32]byte{}, err
	}
	list := all(f, weights)
	root, err := safetensors.Root(list)
	if err != nil {
		return root, err
	}
	return root, safetensors.Write(w, safetensors.Meta{Program: "openledger/package/1", Root: root}, list)
}

// all are the tensors of a package.
func all(f Files, weights []safetensors.Source) []safetensors.Source {
	list := append([]safetensors.Source{}, weights...)
	for _, x := range f.parts() {
		if *x.b != nil {
			list = append(list, safetensors.Blob(x.name, *x.b))
		}
	}
	return list
}
