// SPDX-License-Identifier: Apache-2.0

package safetensors

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

// File is an open set of tensors: one file, or all shards of a folder. Its
// methods may be called from several goroutines.
type File struct {
	Tensors []Tensor          // by name; not to be changed
	Meta    map[string]string // of the first file; nil if it has none

	shards []shard
}

type shard struct {
	name  string
	r     io.ReaderAt
	data  int64 // where the data begins
	close func() error
}

// New opens the file of size bytes behind r. name stands in errors. Cost: the
// header is read, nothing else. Errors: format.ErrFormat, format.ErrUnsupported,
// those of r.
func New(name string, r io.ReaderAt, size int64) (*File, error) {
	list, meta, data, err := header(name, r, size)
	if err != nil {
		return nil, err
	}
	return &File{Tensors: list, Meta: meta, shards: []shard{{name: name, r: r, data: data}}}, nil
}

// Close closes the files that Open and OpenFolder opened.
func (f *File) Close() error {
	var first error
	for _, s := range f.shards {
		if s.close != nil {
			first = cmp.Or(first, s.close())
		}
	}
	return first
}

// Lookup finds a tensor by name.
func (f *File) Lookup(name string) (Tensor, bool) {
	i, ok := slices.BinarySearchFunc(f.Tensors, name, func(t Tensor, name string) int { return cmp.Compare(t.Name, name) })
	if !ok {
		return Tensor{}, false
	}
	return f.Tensors[i], true
}

// Raw fills dst with the bytes of t from byte first on. Errors: those of the
// reader; io.ErrUnexpectedEOF if the file has shrunk since it was opened. It
// panics if dst does not lie within the tensor.
func (f *File) Raw(t Tensor, first uint64, dst []byte) error {
	if first > t.Bytes() || uint64(len(dst)) > t.Bytes()-first {
		panic("safetensors: piece outside of the tensor")
	}
	s := f.shards[t.shard]
	if err := readAt(s.r, dst, s.data+int64(t.begin+first)); err != nil {
		return fmt.Errorf("%s: tensor %s: %w", s.name, t.Name, err)
	}
	return nil
}

// piece is how many bytes are in flight while a tensor is converted or hashed.
const piece = 1 << 16

// Floats fills dst with elements of t from element first on, as binary32. F16
// and BF16 convert exactly; each NaN becomes 7fc00000 (FX-01). The type of t
// must be F32, F16 or BF16. Cost: 64 KiB of memory. Errors and panics: as Raw.
func (f *File) Floats(t Tensor, first uint64, dst []float32) error {
	if !t.DType.IsFloat() {
		panic("safetensors: Floats of " + t.DType.String())
	}
	if first > t.Count() || uint64(len(dst)) > t.Count()-first {
		panic("safetensors: piece outside of the tensor")
	}
	size := t.DType.Size()
	buf := make([]byte, min(piece, uint64(len(dst))*size))
	for len(dst) > 0 {
		n := min(len(dst), piece/int(size))
		if err := f.Raw(t, first*size, buf[:n*int(size)]); err != nil {
			return err
		}
		convert(t.DType, buf, dst[:n])
		dst, first = dst[n:], first+uint64(n)
	}
	return nil
}

// IsFloat reports whether Floats reads the type.
func (d DType) IsFloat() bool { return d == F32 || d == F16 || d == BF16 }

func convert(d DType, b []byte, dst []float32) {
	switch d {
	case F32:
		for i := range dst {
			dst[i] = canonical(binary.LittleEndian.Uint32(b[4*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = canonical(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
		}
	case F16:
		for i := range dst {
			dst[i] = canonical(halfBits(binary.LittleEndian.Uint16(b[2*i:])))
		}
	}
}

// canonical stores every NaN as 7fc00000. Spec: FX-01.
func canonical(bits uint32) float32 {
	if bits&0x7fffffff > 0x7f800000 {
		bits = 0x7fc00000
	}
	return math.Float32frombits(bits)
}

// halfBits widens a binary16. Every one of them is a binary32.
func halfBits(h uint16) uint32 {
	sign, e, m := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch {
	case e == 31:
		return sign | 0x7f800000 | m<<13
	case e != 0:
		return sign | (e+112)<<23 | m<<13
	case m == 0:
		return sign
	}
	for e = 113; m&1024 == 0; e-- { // a subnormal: shift until its first bit is the implied one
		m <<= 1
	}
	return sign | e<<23 | (m&1023)<<13
}

// Digest returns the content id of a tensor's bytes. Cost: one pass over them in
// pieces of 64 KiB. Errors: as Raw. Spec: TNS-01.
func (f *File) Digest(t Tensor) (content.ID, error) {
	h := content.NewHasher()
	buf := make([]byte, min(piece, t.Bytes()))
	for at := uint64(0); at < t.Bytes(); {
		b := buf[:min(uint64(len(buf)), t.Bytes()-at)]
		if err := f.Raw(t, at, b); err != nil {
			return content.ID{}, err
		}
		h.Write(b)
		at += uint64(len(b))
	}
	return h.ID(), nil
}

// Root returns the root over all tensors as they stand in the files: RFC 6962
// over (name, dtype, shape, digest) by name. Cost: one pass over all bytes.
// Errors: as Raw. Spec: TNS-01.
func (f *File) Root() ([32]byte, error) {
	leaves := make([][]byte, len(f.Tensors))
	for i, t := range f.Tensors {
		id, err := f.Digest(t)
		if err != nil {
			return [32]byte{}, err
		}
		leaves[i] = leaf(t.Name, t.DType, t.Shape, id)
	}
	return merkle.Root(leaves), nil
}

// leaf is a tensor under a root. Spec: TNS-01.
func leaf(name string, d DType, shape []uint64, id content.ID) []byte {
	return keys.Dom(keys.DomainTensor, name, strings.ToLower(d.String()), shape, id)
}

// Without returns the same files without the tensors of these names. Closing one
// closes both.
func (f *File) Without(names ...string) *File {
	out := *f
	out.Tensors = slices.DeleteFunc(slices.Clone(f.Tensors), func(t Tensor) bool { return slices.Contains(names, t.Name) })
	return &out
}
