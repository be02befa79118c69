// SPDX-License-Identifier: Apache-2.0

package safetensors

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openledger/openledger/gpu/format"
)

// Names of files in a folder.
const (
	SingleName = "model.safetensors"
	IndexName  = "model.safetensors.index.json"
)

// Bounds of a folder.
const (
	MaxShards = 512
	maxIndex  = 64 << 20
)

// Open opens one file by its path. Errors: as New, and those of the file system.
func Open(path string) (*File, error) {
	s, list, meta, err := openShard(path)
	if err != nil {
		return nil, err
	}
	return &File{Tensors: list, Meta: meta, shards: []shard{s}}, nil
}

func openShard(path string) (shard, []Tensor, map[string]string, error) {
	file, size, err := openRegular(path)
	if err != nil {
		return shard{}, nil, nil, err
	}
	name := filepath.Base(path)
	list, meta, data, err := header(name, file, size)
	if err != nil {
		return shard{}, nil, nil, errors.Join(err, file.Close())
	}
	return shard{name: name, r: file, data: data, close: file.Close}, list, meta, nil
}

// openRegular opens a file, and nothing that would block or never end.
func openRegular(path string) (*os.File, int64, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !fi.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%w: %s is not a regular file", format.ErrFormat, path)
	}
	file, err := os.Open(path)
	return file, fi.Size(), err
}

// ReadSmall reads a whole file of at most limit bytes. Errors: format.ErrFormat
// if it is larger or no regular file, and those of the file system.
func ReadSmall(path string, limit int64) ([]byte, error) {
	file, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if size > limit {
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d", format.ErrFormat, filepath.Base(path), size, limit)
	}
	return io.ReadAll(io.LimitReader(file, limit))
}

// OpenFolder opens the model of a folder: the shards that its index names, or
// its single file. Every tensor of the index stands in the shard that the index
// says, and every tensor of a shard in the index. Errors: format.ErrFormat,
// format.ErrUnsupported, those of the file system.
func OpenFolder(dir string) (*File, error) {
	b, err := ReadSmall(filepath.Join(dir, IndexName), maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		f, err := Open(filepath.Join(dir, SingleName))
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("neither %s nor %s in %s: %w", SingleName, IndexName, dir, err)
		}
		return f, err
	}
	if err != nil {
		return nil, err
	}
	v, err := format.Parse(IndexName, b)
	if err != nil {
		return nil, err
	}
	index, names, err := readIndex(v)
	if err != nil {
		return nil, err
	}
	f := &File{}
	if err := f.addShards(dir, v, index, names); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// readIndex returns the shard of each tensor and the shards' names in order.
// metadata (sizes, for people) is not used.
func readIndex(v format.Value) (index map[string]string, names []string, err error) {
	err = v.Object(func(key string, v format.Value) error {
		switch key {
		case "metadata":
			return nil
		case "weight_map":
			index = map[string]string{}
		default:
			return v.Fail("an index has no such field")
		}
		return v.Object(func(key string, v format.Value) error {
			name, err := v.Text()
			if err != nil {
				return err
			}
			if filepath.Base(name) != name || strings.ContainsAny(name, `/\:`) || !strings.HasSuffix(name, ".safetensors") {
				return v.Fail("%.80q is not the name of a .safetensors file in this folder", name)
			}
			if len(index) == MaxTensors {
				return v.Fail("more than %d tensors", MaxTensors)
			}
			if i, ok := slices.BinarySearch(names, name); !ok {
				names = slices.Insert(names, i, name)
			}
			if len(names) > MaxShards {
				return v.Fail("more than %d files", MaxShards)
			}
			index[key] = name
			return nil
		})
	})
	if err == nil && len(index) == 0 {
		err = v.Fail("weight_map names no tensor")
	}
	return index, names, err
}

func (f *File) addShards(dir string, v format.Value, index map[string]string, names []string) error {
	for i, name := range names {
		s, list, meta, err := openShard(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if f.shards = append(f.shards, s); i == 0 {
			f.Meta = meta
		}
		for _, t := range list {
			if index[t.Name] != name {
				return v.Fail("tensor %q stands in %s, the index says %q", t.Name, name, index[t.Name])
			}
			t.shard = i
			f.Tensors = append(f.Tensors, t)
		}
	}
	// Each tensor found is at its place in the index, and none twice in a shard.
	if len(f.Tensors) != len(index) {
		return v.Fail("the index names %d tensors, its files hold %d", len(index), len(f.Tensors))
	}
	slices.SortFunc(f.Tensors, func(a, b Tensor) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}
