// SPDX-License-Identifier: Apache-2.0

package hf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/openledger/openledger/gpu/format"
	"github.com/openledger/openledger/gpu/format/safetensors"
)

// Tensor is one tensor of a decoder: its name here, its name in folders, its
// shape. Matrices are [out, in], row-major, as in folders; no element moves.
type Tensor struct {
	Name, HF string
	Shape    []uint64
}

// Names of the tensors that are not in folders: RoPE's tables, [Positions,
// HeadDim/2] each.
const (
	RopeCos = "rope.cos"
	RopeSin = "rope.sin"
)

// Tensors lists the weights by name: embed, head (unless tied), norm, and for
// layer l the names layers.<l in three digits>. + attn_norm, q, k, v, o,
// mlp_norm, gate, up, down and the biases q_bias … down_bias. a must have passed
// Check.
func (a Arch) Tensors() []Tensor {
	hidden, inner, vocab := uint64(a.Hidden), uint64(a.Inner), uint64(a.Vocab)
	q, kv := uint64(a.Heads)*uint64(a.HeadDim), uint64(a.KVHeads)*uint64(a.HeadDim)
	list := []Tensor{
		{"embed", "model.embed_tokens.weight", []uint64{vocab, hidden}},
		{"norm", "model.norm.weight", []uint64{hidden}},
	}
	if !a.Tied {
		list = append(list, Tensor{"head", headHF, []uint64{vocab, hidden}})
	}
	for l := range a.Layers {
		add := func(name, hf string, shape ...uint64) {
			list = append(list, Tensor{fmt.Sprintf("layers.%03d.%s", l, name), fmt.Sprintf("model.layers.%d.%s", l, hf), shape})
		}
		linear := func(name, hf string, out, in uint64, bias bool) {
			if add(name, hf+".weight", out, in); bias {
				add(name+"_bias", hf+".bias", out)
			}
		}
		add("attn_norm", "input_layernorm.weight", hidden)
		linear("q", "self_attn.q_proj", q, hidden, a.BiasQKV)
		linear("k", "self_attn.k_proj", kv, hidden, a.BiasQKV)
		linear("v", "self_attn.v_proj", kv, hidden, a.BiasQKV)
		linear("o", "self_attn.o_proj", hidden, q, a.BiasOut)
		add("mlp_norm", "post_attention_layernorm.weight", hidden)
		linear("gate", "mlp.gate_proj", inner, hidden, a.BiasMLP)
		linear("up", "mlp.up_proj", inner, hidden, a.BiasMLP)
		linear("down", "mlp.down_proj", hidden, inner, a.BiasMLP)
	}
	slices.SortFunc(list, func(a, b Tensor) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

const headHF = "lm_head.weight"

// Weight is a tensor of the architecture and where a file has it.
type Weight struct {
	Tensor
	At safetensors.Tensor
}

// Match finds every tensor of a in f, and nothing else in f, and returns them by
// name. Two kinds of tensors may be there beside: tables of frequencies, which
// old programs stored and nobody reads, and the head of a tied model, if it is
// the embedding bit for bit. a must have passed Check. Errors:
// format.ErrFormat for a tensor that is missing or has another shape,
// format.ErrUnsupported for integers in place of floats or a tensor that no
// field of config.json speaks of; those of reading.
func Match(a Arch, f *safetensors.File) ([]Weight, error) {
	var out []Weight
	used := map[string]bool{}
	for _, t := range a.Tensors() {
		at, ok := f.Lookup(t.HF)
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: config.json asks for tensor %s %d, the weights have none", format.ErrFormat, t.HF, t.Shape)
		case !slices.Equal(at.Shape, t.Shape):
			return nil, fmt.Errorf("%w: tensor %s has shape %d, config.json says %d", format.ErrFormat, t.HF, at.Shape, t.Shape)
		case !at.DType.IsFloat():
			return nil, fmt.Errorf("%w: tensor %s holds %s; quantised weights are not imported", format.ErrUnsupported, t.HF, at.DType)
		}
		used[t.HF] = true
		out = append(out, Weight{t, at})
	}
	for _, t := range f.Tensors {
		switch {
		case used[t.Name] || strings.HasSuffix(t.Name, ".self_attn.rotary_emb.inv_freq"):
		case t.Name == headHF && a.Tied:
			if err := sameHead(f, t); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("%w: tensor %s is no part of what config.json describes", format.ErrUnsupported, t.Name)
		}
	}
	return out, nil
}

// sameHead compares the head of a tied model with its embedding.
func sameHead(f *safetensors.File, head safetensors.Tensor) error {
	embed, _ := f.Lookup("model.embed_tokens.weight")
	x, err := f.Digest(head)
	if err != nil {
		return err
	}
	y, err := f.Digest(embed)
	if err != nil {
		return err
	}
	if x != y || head.DType != embed.DType {
		return fmt.Errorf("%w: tie_word_embeddings is true and %s is not the embedding", format.ErrFormat, headHF)
	}
	return nil
}
