// SPDX-License-Identifier: Apache-2.0

package hf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/openledger/openledger/gpu/format"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/gpu/format/tokenizer"
)

// Names of files in a folder.
const (
	ConfigName    = "config.json"
	TokenizerName = "tokenizer.json"
	ChatName      = "tokenizer_config.json"
)

// MaxChat bounds tokenizer_config.json, in bytes.
const MaxChat = 8 << 20

// Files are the contents of the files of a folder beside its weights; Chat is nil
// where there is none.
type Files struct {
	Config, Tokenizer, Chat []byte
}

// Folder is an open model: what it computes, where each weight stands, its
// tokenizer. Close it when the weights have been read.
type Folder struct {
	Config    Config
	Weights   []Weight // by our names
	File      *safetensors.File
	Tokenizer *tokenizer.Tokenizer
	JSON      []byte // tokenizer.json, for another folder
	Chat      Chat   // StyleUnknown if the folder has no template that is known
	Files     Files  // as they were read
}

// Close closes the files of weights.
func (f *Folder) Close() error { return f.File.Close() }

// Open opens a model's folder. Only headers of weights are read. A name of a file
// is never taken from elsewhere than the folder. Errors: format.ErrFormat,
// format.ErrUnsupported naming the field or tensor, ErrArch, those of the file
// system. Spec: TNS-03.
func Open(dir string) (*Folder, error) {
	var f Files
	var err error
	if f.Config, err = safetensors.ReadSmall(filepath.Join(dir, ConfigName), MaxConfig); err != nil {
		return nil, err
	}
	f.Tokenizer, err = safetensors.ReadSmall(filepath.Join(dir, TokenizerName), tokenizer.MaxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; a tokenizer.model of SentencePiece is not read", err)
	}
	if err != nil {
		return nil, err
	}
	if f.Chat, err = safetensors.ReadSmall(filepath.Join(dir, ChatName), MaxChat); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	weights, err := safetensors.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	out, err := New(f, weights)
	if err != nil {
		return nil, errors.Join(err, weights.Close())
	}
	return out, nil
}

// New is Open for files that are in memory and weights that are open; they are the
// folder's if there is no error. Spec: TNS-03.
func New(files Files, weights *safetensors.File) (*Folder, error) {
	f := &Folder{File: weights, JSON: files.Tokenizer, Files: files}
	var err error
	if f.Config, err = ReadConfig(files.Config); err != nil {
		return nil, err
	}
	if f.Tokenizer, err = tokenizer.Parse(files.Tokenizer); err != nil {
		return nil, err
	}
	if n, most := f.Tokenizer.Size(), f.Config.Arch.Vocab; n > int(most) {
		return nil, fmt.Errorf("%w: tokenizer.json has the id %d, config.json has vocab_size %d", format.ErrFormat, n-1, most)
	}
	if files.Chat != nil {
		if f.Chat, err = readChat(files.Chat); err != nil {
			return nil, err
		}
	}
	if f.Weights, err = Match(f.Config.Arch, weights); err != nil {
		return nil, err
	}
	return f, nil
}

// Save writes a folder that Open reads, dir made if need be: weights by their
// names in folders, in files of at most shard bytes, and tokenizer.json as given.
// The weights come last and by rename, so a folder that a crash left is refused by
// Open. Errors: those of WriteConfig and safetensors.SaveFolder, among them
// fs.ErrExist if dir holds a model.
func Save(dir string, c Config, tokenizerJSON []byte, meta safetensors.Meta, weights []safetensors.Source, shard uint64) error {
	config, err := WriteConfig(c)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := safetensors.Vacant(dir); err != nil {
		return err
	}
	for name, b := range map[string][]byte{ConfigName: config, TokenizerName: tokenizerJSON} {
		if err := safetensors.WriteFile(filepath.Join(dir, name), func(w io.Writer) error { _, err := w.Write(b); return err }); err != nil {
			return err
		}
	}
	return safetensors.SaveFolder(dir, meta, weights, shard)
}
