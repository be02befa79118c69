// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

// Tensor is a named array of binary32 values, row-major.
type Tensor struct {
	Name  string
	Shape []uint64
	Data  []float32
}

// Leaf returns the bytes that stand for the tensor under a root: its name, data
// type, shape and the BLAKE3 content id of its little-endian bytes. Spec: TNS-01.
func (t Tensor) Leaf() []byte { return LeafOf(t.Name, "f32", t.Shape, fx.AppendBits(nil, t.Data)) }

// LeafOf is Leaf for a tensor of any type, given as bytes. Spec: TNS-01.
func LeafOf(name, dtype string, shape []uint64, data []byte) []byte {
	return keys.Dom(keys.DomainTensor, name, dtype, shape, content.Sum(data))
}

// Weights are the tensors of one model, sorted by name. For softmax/1: b
// [classes], w [classes, features]; for mlp/1: b1 [hidden], b2 [classes], w1
// [hidden, features], w2 [classes, hidden].
type Weights struct {
	Arch    Arch
	Tensors []Tensor
}

// New returns weights of all zeros. arch must have passed Check.
func New(arch Arch) *Weights {
	w := &Weights{Arch: arch}
	for _, l := range arch.layers() {
		w.Tensors = append(w.Tensors,
			Tensor{Name: l.w, Shape: []uint64{uint64(l.out), uint64(l.in)}, Data: make([]float32, l.out*l.in)},
			Tensor{Name: l.b, Shape: []uint64{uint64(l.out)}, Data: make([]float32, l.out)})
	}
	slices.SortFunc(w.Tensors, func(a, b Tensor) int { return cmp.Compare(a.Name, b.Name) })
	return w
}

// gainHidden is 2: half of the inputs of a rectified unit are silenced (He et
// al., "Delving deep into rectifiers", ICCV 2015, eq. 10).
const gainHidden = 0x40000000

// Init returns the weights from which training starts. Biases are +0. Element i
// of a weight tensor is s·normal(i) of the Philox stream {seed, stream = place
// of the tensor in name order, purpose init}, with s = sqrt(2/in) in a hidden
// layer and s = 1/in in the output layer. arch must have passed Check.
// Spec: FX-06.
func Init(arch Arch, seed uint64) *Weights {
	w := New(arch)
	for _, l := range arch.layers() {
		i := w.index(l.w)
		s := fx.Div(1, fx.FromInt(int32(l.in)))
		if l.gain != 0 {
			s = fx.Sqrt(fx.Div(fx.FromBits(l.gain), fx.FromInt(int32(l.in))))
		}
		data := w.Tensors[i].Data
		fx.Stream{Seed: seed, Stream: uint32(i), Purpose: fx.PurposeInit}.FillNormal(data)
		for j, v := range data {
			data[j] = fx.Mul(s, v)
		}
	}
	return w
}

func (w *Weights) index(name string) int {
	return slices.IndexFunc(w.Tensors, func(t Tensor) bool { return t.Name == name })
}

// Root returns weights_root: the RFC 6962 root over the tensors' leaves in name
// order. Spec: TNS-01.
func (w *Weights) Root() [32]byte {
	leaves := make([][]byte, len(w.Tensors))
	for i, t := range w.Tensors {
		leaves[i] = t.Leaf()
	}
	return merkle.Root(leaves)
}

// Check verifies that every value is finite. Errors: ErrNotFinite with the name
// of the tensor.
func (w *Weights) Check() error {
	for _, t := range w.Tensors {
		if !fx.AllFinite(t.Data) {
			return fmt.Errorf("%w: tensor %s", ErrNotFinite, t.Name)
		}
	}
	return nil
}

// Clone returns a copy that shares nothing.
func (w *Weights) Clone() *Weights {
	c := &Weights{Arch: w.Arch, Tensors: slices.Clone(w.Tensors)}
	for i := range c.Tensors {
		c.Tensors[i].Data = slices.Clone(c.Tensors[i].Data)
	}
	return c
}

const blobVersion = "openledger/weights/1"

type blob struct {
	_       struct{} `cbor:",toarray"`
	Version string
	Arch    Arch
	Tensors []blobTensor
}

type blobTensor struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Shape []uint64
	Data  []byte
}

// Encode returns the weights as one blob, the output that a training task
// commits to: [version, arch, [[name, shape, little-endian bytes]…]]. At most
// 4 MiB and a few hundred bytes.
func (w *Weights) Encode() []byte {
	b := blob{Version: blobVersion, Arch: w.Arch}
	for _, t := range w.Tensors {
		b.Tensors = append(b.Tensors, blobTensor{Name: t.Name, Shape: t.Shape, Data: fx.AppendBits(nil, t.Data)})
	}
	return enc.Encode(b)
}

// Decode reads Encode. It accepts exactly the tensors of the architecture, and
// finite numbers only. Errors: ErrBlob, ErrArch, ErrNotFinite, those of
// enc.Decode.
func Decode(data []byte) (*Weights, error) {
	var b blob
	if err := enc.Decode(data, &b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlob, err)
	}
	if b.Version != blobVersion {
		return nil, fmt.Errorf("%w: version %.40q is not %q", ErrBlob, b.Version, blobVersion)
	}
	if err := b.Arch.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlob, err)
	}
	w := New(b.Arch)
	if len(b.Tensors) != len(w.Tensors) {
		return nil, fmt.Errorf("%w: %d tensors, %s has %d", ErrBlob, len(b.Tensors), b.Arch.Model, len(w.Tensors))
	}
	for i, t := range w.Tensors {
		got := b.Tensors[i]
		if got.Name != t.Name || !slices.Equal(got.Shape, t.Shape) {
			return nil, fmt.Errorf("%w: tensor %d is %.40q %v, want %q %v", ErrBlob, i, got.Name, got.Shape, t.Name, t.Shape)
		}
		if err := DecodeData(t.Data, got.Data); err != nil {
			return nil, fmt.Errorf("%w: tensor %s: %w", ErrBlob, t.Name, err)
		}
	}
	return w, nil
}

// DecodeData sets dst from little-endian bytes. Errors: ErrBlob if the length is
// not 4·len(dst), ErrNotFinite.
func DecodeData(dst []float32, data []byte) error {
	if len(data) != 4*len(dst) {
		return fmt.Errorf("%w: %d bytes, want %d", ErrBlob, len(data), 4*len(dst))
	}
	for i := range dst {
		dst[i] = fx.FromBits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	if !fx.AllFinite(dst) {
		return ErrNotFinite
	}
	return nil
}
