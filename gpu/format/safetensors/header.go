// SPDX-License-Identifier: Apache-2.0

package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"github.com/openledger/openledger/gpu/format"
)

// Bounds of a file.
const (
	MaxHeader  = 100 << 20 // bytes
	MaxTensors = 1 << 17
	MaxName    = 512 // bytes
	MaxRank    = 8
)

// DType is the type of a tensor's elements.
type DType uint8

// The types that are read and written. All are little-endian.
const (
	F32 DType = iota + 1
	F16
	BF16
	I8
	U8
	I32
	I64
)

var dtypes = []struct {
	name string
	size uint64
}{{}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I8", 1}, {"U8", 1}, {"I32", 4}, {"I64", 8}}

// String returns the name that stands in files.
func (d DType) String() string { return dtypes[d].name }

// Size returns the bytes of one element.
func (d DType) Size() uint64 { return dtypes[d].size }

// Tensor says what a tensor is and where its bytes stand. Shape is row-major;
// an empty one is a single number.
type Tensor struct {
	Name  string
	DType DType
	Shape []uint64

	begin, end uint64 // within the data of its file
	shard      int
}

// Count returns the number of elements.
func (t Tensor) Count() uint64 { return (t.end - t.begin) / t.DType.Size() }

// Bytes returns the size in bytes.
func (t Tensor) Bytes() uint64 { return t.end - t.begin }

// sizeOf returns the bytes of a tensor, and false if there is no such number.
func sizeOf(d DType, shape []uint64) (uint64, bool) {
	n := d.Size()
	for _, s := range shape {
		hi, lo := bits.Mul64(n, s)
		if hi != 0 || lo > 1<<62 {
			return 0, false
		}
		n = lo
	}
	return n, true
}

// header reads the header of a file of the given size and returns its tensors by
// name, its metadata and where its data begins. Spec: TNS-02.
func header(name string, r io.ReaderAt, size int64) ([]Tensor, map[string]string, int64, error) {
	bad := func(text string, args ...any) ([]Tensor, map[string]string, int64, error) {
		return nil, nil, 0, fmt.Errorf("%w: %s: %s", format.ErrFormat, name, fmt.Sprintf(text, args...))
	}
	var first [8]byte
	if size < int64(len(first)) {
		return bad("%d bytes hold no header; was the file copied whole?", size)
	}
	if err := readAt(r, first[:], 0); err != nil {
		return nil, nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	n := binary.LittleEndian.Uint64(first[:])
	if n > MaxHeader {
		return bad("a header of %d bytes, at most %d; is this a safetensors file?", n, MaxHeader)
	}
	if n > uint64(size)-8 {
		return bad("a header of %d bytes in a file of %d; was the file copied whole?", n, size)
	}
	h := make([]byte, n)
	if err := readAt(r, h, 8); err != nil {
		return nil, nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	h = bytes.TrimRight(h, " ")
	if len(h) < 2 || h[0] != '{' || h[len(h)-1] != '}' {
		return bad("the header is not one object padded with spaces")
	}
	v, err := format.Parse(name, h)
	if err != nil {
		return nil, nil, 0, err
	}
	list, meta, err := entries(v)
	if err != nil {
		return nil, nil, 0, err
	}
	data := uint64(size) - 8 - n
	if text := layout(list, data); text != "" {
		return bad("%s", text)
	}
	slices.SortFunc(list, func(a, b Tensor) int { return cmp.Compare(a.Name, b.Name) })
	return list, meta, int64(8 + n), nil
}

const metaName = "__metadata__"

func entries(v format.Value) (list []Tensor, meta map[string]string, err error) {
	err = v.Object(func(key string, v format.Value) error {
		if key == metaName {
			meta = map[string]string{}
			return v.Object(func(key string, v format.Value) (err error) {
				meta[key], err = v.Text()
				return err
			})
		}
		if len(list) == MaxTensors {
			return v.Fail("more than %d tensors", MaxTensors)
		}
		if text := badName(key); text != "" {
			return v.Fail("%s", text)
		}
		t, err := entry(key, v)
		list = append(list, t)
		return err
	})
	return list, meta, err
}

func badName(name string) string {
	if name == "" || len(name) > MaxName {
		return fmt.Sprintf("the name of a tensor has 1 to %d bytes", MaxName)
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f {
			return "a control character in the name of a tensor"
		}
	}
	return ""
}

func entry(name string, v format.Value) (Tensor, error) {
	t := Tensor{Name: name}
	var at []uint64
	err := v.Object(func(key string, v format.Value) (err error) {
		switch key {
		case "dtype":
			t.DType, err = dtype(v)
		case "shape":
			t.Shape, err = integers(v, MaxRank)
		case "data_offsets":
			if at, err = integers(v, 2); err == nil && len(at) != 2 {
				err = v.Fail("wants two offsets, has %d", len(at))
			}
		default:
			err = v.Fail("the format has no such field")
		}
		return err
	})
	if err != nil {
		return t, err
	}
	if t.DType == 0 || t.Shape == nil || at == nil {
		return t, v.Fail("wants dtype, shape and data_offsets")
	}
	size, ok := sizeOf(t.DType, t.Shape)
	if !ok {
		return t, v.Fail("a tensor of shape %d has too many elements", t.Shape)
	}
	if at[0] > at[1] || at[1]-at[0] != size {
		return t, v.Fail("offsets %d are not the %d bytes of %s %d", at, size, t.DType, t.Shape)
	}
	t.begin, t.end = at[0], at[1]
	return t, nil
}

func dtype(v format.Value) (DType, error) {
	text, err := v.Text()
	if err != nil {
		return 0, err
	}
	for i, d := range dtypes {
		if i > 0 && d.name == text {
			return DType(i), nil
		}
	}
	return 0, v.Unsupported("type %.20q; F32 F16 BF16 I8 U8 I32 I64 are read", text)
}

func integers(v format.Value, most int) ([]uint64, error) {
	out := []uint64{}
	err := v.Array(func(i int, v format.Value) error {
		if i == most {
			return v.Fail("more than %d numbers", most)
		}
		n, err := v.Uint(1<<62 - 1)
		out = append(out, n)
		return err
	})
	return out, err
}

// layout checks that the tensors cover the data from its first byte to its last
// without a gap and without touching twice. It sorts list.
func layout(list []Tensor, data uint64) string {
	slices.SortFunc(list, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	var at uint64
	for i, t := range list {
		switch {
		case t.begin < at:
			return fmt.Sprintf("tensors %q and %q overlap", list[i-1].Name, t.Name)
		case t.begin > at:
			return fmt.Sprintf("bytes %d to %d before tensor %q belong to none", at, t.begin, t.Name)
		}
		at = t.end
	}
	switch {
	case at > data:
		return fmt.Sprintf("the tensors need %d bytes, the file has %d; was it copied whole?", at, data)
	case at < data:
		return fmt.Sprintf("%d bytes follow the last tensor", data-at)
	}
	return ""
}

// readAt fills b from offset at.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
