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
	ConfigName          = "config.json"
	TokenizerName       = "tokenizer.json"
	tokenizerConfigName = "tokenizer_config.json"
	maxTokenizerConfig  = 8 << 20
)

// Folder is an open model: what it computes, where each weight stands, its
// tokenizer. Close it when the weights have been read.
type Folder struct {
	Config    Config
	Weights   []Weight // by our names
	File      *safetensors.File
	Tokenizer *tokenizer.Tokenizer
	JSON      []byte // tokenizer.json, for another folder
	Chat      Chat   // StyleUnknown if the folder has no template that is known
}

// Close closes the files of weights.
func (f *Folder) Close() error { return f.File.Close() }

// Open opens a model's folder. Only headers of weights are read. A name of a file
// is never taken from elsewhere than the folder. Errors: format.ErrFormat,
// format.ErrUnsupported naming the field or tensor, ErrArch, those of the file
// system. Spec: TNS-03.
func Open(dir string) (*Folder, error) {
	b, err := safetensors.ReadSmall(filepath.Join(dir, ConfigName), MaxConfig)
	if err != nil {
		return nil, err
	}
	f := &Folder{}
	if f.Config, err = ReadConfig(b); err != nil {
		return nil, err
	}
	if b, err = safetensors.ReadSmall(filepath.Join(dir, TokenizerName), tokenizer.MaxFile); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; a tokenizer.model of SentencePiece is not read", err)
	} else if err != nil {
		return nil, err
	}
	if f.Tokenizer, err = tokenizer.Parse(b); err != nil {
		return nil, err
	}
	f.JSON = b
	if n, most := f.Tokenizer.Size(), f.Config.Arch.Vocab; n > int(most) {
		return nil, fmt.Errorf("%w: tokenizer.json has the id %d, config.json has vocab_size %d", format.ErrFormat, n-1, most)
	}
	b, err = safetensors.ReadSmall(filepath.Join(dir, tokenizerConfigName), maxTokenizerConfig)
	if err == nil {
		f.Chat, err = readChat(b)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if f.File, err = safetensors.OpenFolder(dir); err != nil {
		return nil, err
	}
	if f.Weights, err = Match(f.Config.Arch, f.File); err != nil {
		return nil, errors.Join(err, f.File.Close())
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
