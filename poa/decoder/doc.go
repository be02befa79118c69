// SPDX-License-Identifier: Apache-2.0

// Package decoder writes Llama-family decoders as graphs of poa/program: RMSNorm,
// rotary positions, grouped-query attention, SwiGLU, a tied or free head, biases
// where a family has them; the answer of a text, one step of training, and the
// adapters of LoRA. The program id of a step follows from its record alone.
//
// It runs nothing and reads no files. The tables of RoPE are inputs like weights.
// It refuses sizes beyond fx.MaxDim and records that contradict themselves.
//
// The main types are Arch, which says what is computed, and Train, one step of
// training:
//
//	g, err := decoder.Train{Net: decoder.Net{Arch: a}, Seqs: 8, Tokens: 256, …}.Graph()
//	id := g.ID()
//
// Letters: N rows of tokens, C width of the residual, F of the MLP, V vocabulary,
// H heads over HKV, D width of a head.
//
// Spec: OP-01, OP-03, TNS-04, TNS-05.
package decoder
