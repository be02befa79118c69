// SPDX-License-Identifier: Apache-2.0

package tune

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/format"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/poa/checkpoint"
	"github.com/openledger/openledger/poa/decoder"
)

const piece = 1 << 20 // elements that cross to or from the device at once

// read calls f with the bytes of a buffer, piece by piece.
func (t *Trainer) read(b gpu.Buffer, f func([]byte) error) error {
	size := b.Type().Size()
	buf := make([]byte, size*min(piece, b.Len()))
	for at := uint64(0); at < b.Len(); at += piece {
		n := min(piece, b.Len()-at)
		v, err := t.dev.View(b, at, n)
		if err == nil {
			err = t.dev.Download(buf[:n*size], v)
		}
		if err == nil {
			err = f(buf[:n*size])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leaf is the leaf of a tensor under a root. Spec: TNS-01.
func (t *Trainer) leaf(name string, s decoder.Tensor, b gpu.Buffer) ([]byte, error) {
	h := content.NewHasher()
	err := t.read(b, func(p []byte) error {
		h.Write(p)
		if s.Type != fx.F32 {
			return nil
		}
		for i := 0; i < len(p); i += 4 {
			if !fx.Finite(fx.FromBits(binary.LittleEndian.Uint32(p[i:]))) {
				return fmt.Errorf("%w: %s holds a number that is not finite; try a smaller learning rate", train.ErrDiverged, name)
			}
		}
		return nil
	})
	return keys.Dom(keys.DomainTensor, name, s.Type.String(), s.Shape, h.ID()), err
}

// baseRoot is the root over the weights of the model as they are held.
func (t *Trainer) baseRoot() ([32]byte, error) {
	var leaves [][]byte
	for _, w := range t.m.Net.Held() {
		l, err := t.leaf(w.Name, w, t.m.Buffer(w.Name))
		if err != nil {
			return [32]byte{}, err
		}
		leaves = append(leaves, l)
	}
	return merkle.Root(leaves), nil
}

// Root is the root over the tensors of the state by name; "step" is a u64 without
// dimensions. Cost: one pass over the state. Errors: train.ErrDiverged if a number
// is not finite, those of the device, and that of the step that failed. Spec: CHK-01,
// TNS-01.
func (t *Trainer) Root() ([32]byte, error) {
	if t.broken != nil {
		return [32]byte{}, t.broken
	}
	var leaves [][]byte
	for _, s := range t.job.Spec.State() {
		if s.Name == "step" {
			step := binary.LittleEndian.AppendUint64(nil, t.step)
			leaves = append(leaves, keys.Dom(keys.DomainTensor, "step", "u64", []uint64(nil), content.Sum(step)))
			continue
		}
		l, err := t.leaf(s.Name, s, t.buffer(s))
		if err != nil {
			t.broken = err
			return [32]byte{}, err
		}
		leaves = append(leaves, l)
	}
	return merkle.Root(leaves), nil
}

// leavesName is the tensor of a saved state that holds the leaves so far.
const leavesName = "leaves"

// save writes the state and the leaves by rename.
func (t *Trainer) save(path string, b *checkpoint.Builder, root [32]byte) error {
	var list []safetensors.Source
	for _, s := range t.job.Spec.State() {
		d := safetensors.F32
		if s.Type == fx.I32 {
			d = safetensors.I32
		}
		list = append(list, safetensors.Source{Name: s.Name, DType: d, Shape: s.Shape, Write: func(w io.Writer) error {
			return t.read(t.buffer(s), func(p []byte) error { _, err := w.Write(p); return err })
		}})
	}
	leaves := enc.Encode(b.Leaves())
	list = append(list, safetensors.Source{Name: leavesName, DType: safetensors.U8, Shape: []uint64{uint64(len(leaves))},
		Write: func(w io.Writer) error { _, err := w.Write(leaves); return err }})
	bind := t.job.bind(t.base)
	return safetensors.Save(path, safetensors.Meta{Program: "openledger/tune-state/1 " + hex.EncodeToString(bind[:]), Root: root}, list)
}

// resume reads what save wrote. Errors: train.ErrSaved, those of reading.
func (t *Trainer) resume(path string) (*checkpoint.Builder, error) {
	f, err := safetensors.Open(path)
	if errors.Is(err, format.ErrFormat) {
		return nil, fmt.Errorf("%w: %w", train.ErrSaved, err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	bind := t.job.bind(t.base)
	if got := f.Meta["program"]; got != "openledger/tune-state/1 "+hex.EncodeToString(bind[:]) {
		return nil, fmt.Errorf("%w: %s belongs to another model, text or setting; choose another folder or delete it", train.ErrSaved, path)
	}
	state := t.job.Spec.State()
	if len(f.Tensors) != len(state)+1 {
		return nil, fmt.Errorf("%w: %s has %d tensors, not %d", train.ErrSaved, path, len(f.Tensors), len(state)+1)
	}
	for _, s := range state {
		at, ok := f.Lookup(s.Name)
		if !ok || !slices.Equal(at.Shape, s.Shape) || at.DType.Size() != s.Type.Size() {
			return nil, fmt.Errorf("%w: tensor %s of %s", train.ErrSaved, s.Name, path)
		}
		if err := t.write(f, at, t.buffer(s)); err != nil {
			return nil, err
		}
	}
	return t.resumed(f)
}

// resumed checks the counter, the leaves, and that they meet the state.
func (t *Trainer) resumed(f *safetensors.File) (*checkpoint.Builder, error) {
	var word [4]byte
	if err := t.dev.Download(word[:], t.own["step"]); err != nil {
		return nil, err
	}
	t.step = uint64(binary.LittleEndian.Uint32(word[:]))
	at, ok := f.Lookup(leavesName)
	if !ok || at.Bytes() > 1<<20 {
		return nil, fmt.Errorf("%w: no leaves", train.ErrSaved)
	}
	raw := make([]byte, at.Bytes())
	if err := f.Raw(at, 0, raw); err != nil {
		return nil, err
	}
	var leaves []checkpoint.Leaf
	if err := enc.Decode(raw, &leaves); err != nil {
		return nil, fmt.Errorf("%w: leaves: %w", train.ErrSaved, err)
	}
	done := uint64(len(leaves))
	if done < 1 || done > t.job.Segments() || t.step != min(done*t.job.SegmentSteps, t.job.Spec.Steps) {
		return nil, fmt.Errorf("%w: step %d after %d segments", train.ErrSaved, t.step, done)
	}
	root, err := t.Root()
	if err != nil {
		return nil, err
	}
	b, err := checkpoint.ResumeBuilder(t.job.Task, t.job.Operator, leaves, root)
	if err != nil {
		return nil, fmt.Errorf("%w: the tensors are not those of the last segment: %w", train.ErrSaved, err)
	}
	return b, nil
}

// write fills a buffer from a tensor of a file.
func (t *Trainer) write(f *safetensors.File, at safetensors.Tensor, b gpu.Buffer) error {
	size := b.Type().Size()
	buf := make([]byte, size*min(piece, b.Len()))
	for from := uint64(0); from < b.Len(); from += piece {
		n := min(piece, b.Len()-from)
		v, err := t.dev.View(b, from, n)
		if err == nil {
			err = f.Raw(at, from*size, buf[:n*size])
		}
		if err == nil {
			err = t.dev.Upload(v, buf[:n*size])
		}
		if err != nil {
			return errors.Join(train.ErrSaved, err)
		}
	}
	return nil
}
