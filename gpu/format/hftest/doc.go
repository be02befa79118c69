// SPDX-License-Identifier: Apache-2.0

// Package hftest makes small folders in HuggingFace's layout for tests (random
// weights, a trained tokenizer) and says what an independent program computes on
// them: Logits runs llama_ref.py, binary64 in plain Python.
//
// Folders are functions of their options: equal options give equal bytes.
//
//	dir := t.TempDir()
//	err := hftest.Write(dir, hftest.Options{Config: hftest.Tiny(), Seed: 7, Mixed: true, Shard: 40_000})
//	rows, err := hftest.Logits(dir, [][]uint32{{1, 2, 3}})
//
// Spec: TNS-03.
package hftest
