// SPDX-License-Identifier: Apache-2.0

package hf

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu/format"
	"github.com/openledger/openledger/gpu/format/safetensors"
)

// zeros is a source of a tensor whose bytes are all fill.
func zeros(name string, d safetensors.DType, fill byte, shape ...uint64) safetensors.Source {
	n := d.Size()
	for _, k := range shape {
		n *= k
	}
	return safetensors.Source{Name: name, DType: d, Shape: shape, Write: func(w io.Writer) error {
		_, err := w.Write(bytes.Repeat([]byte{fill}, int(n)))
		return err
	}}
}

func TestTNS03WeightsThatFitAndThatDoNot(t *testing.T) {
	small := Arch{Layers: 1, Hidden: 4, Inner: 6, Heads: 2, KVHeads: 1, HeadDim: 2, Vocab: 5, Positions: 8, EpsBits: bits(1e-5), Rope: Rope{ThetaBits: bits(10000)}}
	tied := small
	tied.Tied = true
	for name, c := range map[string]struct {
		arch   Arch
		change func(list []safetensors.Source) []safetensors.Source
		want   string
	}{
		"all":  {small, func(l []safetensors.Source) []safetensors.Source { return l }, ""},
		"tied": {tied, func(l []safetensors.Source) []safetensors.Source { return l }, ""},
		"stored frequencies": {small, func(l []safetensors.Source) []safetensors.Source {
			return append(l, zeros("model.layers.0.self_attn.rotary_emb.inv_freq", safetensors.F32, 0, 1))
		}, ""},
		"tied, with its head": {tied, func(l []safetensors.Source) []safetensors.Source {
			return append(l, zeros("lm_head.weight", safetensors.F32, 0, 5, 4))
		}, ""},
		"tied, another head": {tied, func(l []safetensors.Source) []safetensors.Source {
			return append(l, zeros("lm_head.weight", safetensors.F32, 1, 5, 4))
		}, "not the embedding"},
		"a tensor is missing": {small, func(l []safetensors.Source) []safetensors.Source { return l[1:] }, "embed_tokens"},
		"a tensor too many": {small, func(l []safetensors.Source) []safetensors.Source {
			return append(l, zeros("model.extra", safetensors.F32, 0, 1))
		}, "model.extra"},
		"a bias without a field": {small, func(l []safetensors.Source) []safetensors.Source {
			return append(l, zeros("model.layers.0.self_attn.q_proj.bias", safetensors.F32, 0, 4))
		}, "q_proj.bias"},
		"a layer too many": {small, func(l []safetensors.Source) []safetensors.Source {
			return append(l, zeros("model.layers.1.input_layernorm.weight", safetensors.F32, 0, 4))
		}, "layers.1"},
		"another shape": {small, func(l []safetensors.Source) []safetensors.Source { l[0].Shape = []uint64{4, 5}; return l }, "shape [4 5]"},
		"integers": {small, func(l []safetensors.Source) []safetensors.Source {
			l[0] = zeros(l[0].Name, safetensors.I8, 0, 5, 4)
			return l
		}, "I8"},
	} {
		var list []safetensors.Source
		for _, x := range c.arch.Tensors() {
			list = append(list, zeros(x.HF, safetensors.F32, 0, x.Shape...))
		}
		var b bytes.Buffer
		if err := safetensors.Write(&b, safetensors.Meta{}, c.change(list)); err != nil {
			t.Fatal(err)
		}
		f, err := safetensors.New("w", bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		w, err := Match(c.arch, f)
		if c.want == "" {
			if err != nil || len(w) != len(c.arch.Tensors()) {
				t.Errorf("%s: %d tensors, %v", name, len(w), err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, format.ErrFormat) && !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}
