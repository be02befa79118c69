// SPDX-License-Identifier: Apache-2.0

// Package pack holds a language model, or adapters of one, in one safetensors file:
// the tensors by the names that folders give them, and beside them the small files
// of the folder as tensors of bytes (U8) under the names of the files. So one root
// (TNS-01) stands for weights, architecture and tokenizer together, and one content
// id for everything that is needed to compute.
//
// A model has config.json, tokenizer.json and, where its folder had one,
// tokenizer_config.json; adapters have adapter_config.json in the layout of PEFT.
// Equal parts give equal bytes. A folder goes in by Folder and comes out by Extract.
//
// It refuses what it does not know by name, files beyond their bounds, and whatever
// gpu/format/hf refuses of a folder, before a weight is read.
//
// The main type is Package:
//
//	p, err := pack.Folder("./tinyllama")
//	root, err := p.Write(w)
//	q, err := pack.New(bytes.NewReader(b), int64(len(b)))
//	f, err := q.Model() // for lm.Load
//	err = q.Extract("./again")
//
// Spec: TNS-06.
package pack
