// SPDX-License-Identifier: Apache-2.0

// Package safetensors reads and writes tensors in the safetensors format: one
// file, or a folder of shards with an index.
//
// A file is opened by its header alone; tensors are then read singly, whole or
// in pieces, so a model may be larger than memory. Every tensor is read as what
// it is, or, for the three float types, as binary32: exactly, with each NaN as
// 7fc00000.
//
// It refuses whatever two readers could understand differently: names that
// stand twice, holes, overlaps, sizes that do not fit the shape, bytes behind
// the last tensor, fields that the format does not know. It never allocates by
// a size that the file does not really have.
//
//	f, err := safetensors.OpenFolder(dir)
//	defer f.Close()
//	t, ok := f.Lookup("model.norm.weight")
//	err = f.Floats(t, 0, dst)
//	err = safetensors.Save(path, meta, tensors)
//
// Spec: TNS-01 digests and root, TNS-02 the format, FX-01 NaN.
package safetensors
