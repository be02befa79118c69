// SPDX-License-Identifier: Apache-2.0

// Package hf reads and writes folders in the layout of HuggingFace: what
// config.json says of a Llama-family decoder becomes one Arch record of integers
// and exact binary32 bits, and each tensor of the weights gets its place in it.
//
// It knows LlamaForCausalLM, MistralForCausalLM without a sliding window and
// Qwen2ForCausalLM. A field that would change what the model computes and that
// Arch cannot say is an error that names it, and so is a field that it does not
// know: an unread field is a different model. It never runs code of the folder,
// follows no name out of it and uses no network.
//
// RoPE tables are data, not arithmetic of a device: they are computed here once,
// with integers and big floats, and rounded once.
//
//	c, err := hf.ReadConfig(data)
//	for _, t := range c.Arch.Tensors() { … t.Name, t.HF, t.Shape }
//	cos, sin := hf.RopeTables(c.Arch, positions)
//
// Spec: TNS-03.
package hf
