// SPDX-License-Identifier: Apache-2.0

package safetensors

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/openledger/openledger/gpu/format"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/merkle"
)

// Meta is what a written file says about itself: the program that its tensors
// belong to, in words, and the model root. Spec: TNS-02.
type Meta struct {
	Program string
	Root    [32]byte
}

// Source is a tensor to be written. Write puts its little-endian bytes into w,
// all of them, the same ones each time it is called.
type Source struct {
	Name  string
	DType DType
	Shape []uint64
	Write func(w io.Writer) error
}

// Float32s is a Source of binary32 values. data is read when the file is written.
func Float32s(name string, shape []uint64, data []float32) Source {
	return Source{Name: name, DType: F32, Shape: shape, Write: func(w io.Writer) error {
		var buf [piece]byte
		for data := data; len(data) > 0; {
			n := min(len(data), piece/4)
			for i, x := range data[:n] {
				binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(canonical(math.Float32bits(x))))
			}
			if _, err := w.Write(buf[:4*n]); err != nil {
				return err
			}
			data = data[n:]
		}
		return nil
	}}
}

// Blob is a Source of bytes, one dimension of U8.
func Blob(name string, b []byte) Source {
	return Source{Name: name, DType: U8, Shape: []uint64{uint64(len(b))}, Write: func(w io.Writer) error { _, err := w.Write(b); return err }}
}

// Copy is a Source of the bytes of a tensor of f under another name.
func Copy(f *File, t Tensor, name string) Source {
	return Source{Name: name, DType: t.DType, Shape: t.Shape, Write: func(w io.Writer) error {
		var buf [piece]byte
		for at := uint64(0); at < t.Bytes(); {
			b := buf[:min(piece, t.Bytes()-at)]
			if err := f.Raw(t, at, b); err != nil {
				return err
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
			at += uint64(len(b))
		}
		return nil
	}}
}

// ErrSource is returned for tensors that cannot be written: no name or one that
// stands twice, a shape without a size, or another number of bytes than it says.
var ErrSource = errors.New("tensor cannot be written")

// Write writes a file: tensors by name, header padded with spaces to 8 bytes.
// Equal input gives equal bytes. It sorts tensors. Errors: ErrSource, those of w
// and of the sources. Spec: TNS-02.
func Write(w io.Writer, meta Meta, tensors []Source) error {
	h, err := head(meta, tensors)
	if err != nil {
		return err
	}
	if _, err := w.Write(h); err != nil {
		return err
	}
	for _, t := range tensors {
		if err := t.all(w); err != nil {
			return err
		}
	}
	return nil
}

// Root returns the root that File.Root gives for what Write makes of the tensors,
// which it sorts. Cost: one pass over all bytes. Errors: as Write. Spec: TNS-01.
func Root(tensors []Source) ([32]byte, error) {
	if _, err := head(Meta{}, tensors); err != nil {
		return [32]byte{}, err
	}
	leaves := make([][]byte, len(tensors))
	for i, t := range tensors {
		h := content.NewHasher()
		if err := t.all(h); err != nil {
			return [32]byte{}, err
		}
		leaves[i] = leaf(t.Name, t.DType, t.Shape, h.ID())
	}
	return merkle.Root(leaves), nil
}

// all writes a tensor and counts. Errors: ErrSource, those of w and of the source.
func (t Source) all(w io.Writer) error {
	size, _ := sizeOf(t.DType, t.Shape)
	c := counter{w: w, left: size}
	if err := t.Write(&c); err != nil {
		return fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	if c.left != 0 {
		return fmt.Errorf("%w: %s has %d bytes too few", ErrSource, t.Name, c.left)
	}
	return nil
}

func head(meta Meta, tensors []Source) ([]byte, error) {
	slices.SortFunc(tensors, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
	if len(tensors) > MaxTensors {
		return nil, fmt.Errorf("%w: %d tensors, at most %d", ErrSource, len(tensors), MaxTensors)
	}
	b := append(make([]byte, 8), `{"__metadata__":{"format":"pt","program":`...)
	b = format.AppendText(b, meta.Program)
	b = append(b, `,"root":"`...)
	b = append(hex.AppendEncode(b, meta.Root[:]), `"}`...)
	var at uint64
	for i, t := range tensors {
		if badName(t.Name) != "" || t.Name == metaName || t.DType < F32 || t.DType > I64 || len(t.Shape) > MaxRank {
			return nil, fmt.Errorf("%w: name %.80q, type %d, shape %d", ErrSource, t.Name, t.DType, t.Shape)
		}
		if i > 0 && t.Name == tensors[i-1].Name {
			return nil, fmt.Errorf("%w: the name %q stands twice", ErrSource, t.Name)
		}
		size, ok := sizeOf(t.DType, t.Shape)
		if !ok || at+size > 1<<62 {
			return nil, fmt.Errorf("%w: %q of shape %d is too large", ErrSource, t.Name, t.Shape)
		}
		b = format.AppendText(append(b, ','), t.Name)
		b = append(b, `:{"dtype":"`...)
		b = append(b, t.DType.String()...)
		b = append(b, `","shape":[`...)
		for j, n := range t.Shape {
			if j > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendUint(b, n, 10)
		}
		b = fmt.Appendf(b, `],"data_offsets":[%d,%d]}`, at, at+size)
		at += size
	}
	for b = append(b, '}'); len(b)%8 != 0; {
		b = append(b, ' ')
	}
	if len(b)-8 > MaxHeader {
		return nil, fmt.Errorf("%w: a header of %d bytes, at most %d", ErrSource, len(b)-8, MaxHeader)
	}
	binary.LittleEndian.PutUint64(b, uint64(len(b)-8))
	return b, nil
}

// counter refuses more bytes than a tensor has.
type counter struct {
	w    io.Writer
	left uint64
}

func (c *counter) Write(b []byte) (int, error) {
	if uint64(len(b)) > c.left {
		return 0, fmt.Errorf("%w: more bytes than its shape says", ErrSource)
	}
	n, err := c.w.Write(b)
	c.left -= uint64(n)
	return n, err
}

// Save writes a file at path. Until all of it is on disk the old file stays: a
// crash leaves one or the other, and perhaps a .tmp beside it. Errors: as Write,
// and those of the file system.
func Save(path string, meta Meta, tensors []Source) error {
	return WriteFile(path, func(w io.Writer) error { return Write(w, meta, tensors) })
}

// WriteFile writes a file by a temporary one, sync and rename, then syncs the
// folder.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	w := bufio.NewWriterSize(tmp, 1<<20)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Vacant verifies that a folder holds no model. Errors: fs.ErrExist.
func Vacant(dir string) error {
	for _, name := range []string{SingleName, IndexName} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("%s holds a model (%s): %w; choose another folder", dir, name, fs.ErrExist)
		}
	}
	return nil
}

// SaveFolder writes a model as one file, or, where it needs more than shard
// bytes, as shards of at most that size (or of one tensor) and an index, which
// comes last: a folder without it holds no model yet. It refuses a folder that
// holds a model, because a crash would leave shards of two. Errors: fs.ErrExist,
// and as Save.
func SaveFolder(dir string, meta Meta, tensors []Source, shard uint64) error {
	if err := Vacant(dir); err != nil {
		return err
	}
	if _, err := head(meta, tensors); err != nil {
		return err
	}
	var parts [][]Source
	var filled, total uint64
	for _, t := range tensors {
		size, _ := sizeOf(t.DType, t.Shape)
		if len(parts) == 0 || filled+size > shard {
			parts, filled = append(parts, nil), 0
		}
		last := len(parts) - 1
		parts[last] = append(parts[last], t)
		filled, total = filled+size, total+size
	}
	if len(parts) <= 1 {
		return Save(filepath.Join(dir, SingleName), meta, tensors)
	}
	if len(parts) > MaxShards {
		return fmt.Errorf("%w: %d files, at most %d; choose larger ones", ErrSource, len(parts), MaxShards)
	}
	index := fmt.Appendf(nil, "{\"metadata\":{\"total_size\":%d},\"weight_map\":{", total)
	for i, part := range parts {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(parts))
		if err := Save(filepath.Join(dir, name), meta, part); err != nil {
			return err
		}
		for j, t := range part {
			if i+j > 0 {
				index = append(index, ',')
			}
			index = append(format.AppendText(index, t.Name), ':')
			index = format.AppendText(index, name)
		}
	}
	index = append(index, "}}\n"...)
	return WriteFile(filepath.Join(dir, IndexName), func(w io.Writer) error {
		_, err := w.Write(index)
		return err
	})
}
