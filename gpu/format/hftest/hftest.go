// SPDX-License-Identifier: Apache-2.0

package hftest

import (
	"bytes"
	_ "embed" // the reference is a file
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os/exec"
	"strings"

	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/internal/fx"
)

// Options say what a folder holds.
type Options struct {
	Config hf.Config
	Seed   uint64
	Mixed  bool   // every third tensor is BF16, every third F16; else all are F32
	Shard  uint64 // bytes of a weight file; 0 is one file
	Text   string // what the tokenizer learns from; "" is a text of this package
}

// Tiny is a Llama of 2 layers, width 64, 4 heads over 2, 320 words and 256
// positions. Its tokenizer fills the vocabulary.
func Tiny() hf.Config {
	return hf.Config{
		Arch: hf.Arch{Layers: 2, Hidden: 64, Inner: 96, Heads: 4, KVHeads: 2, HeadDim: 16, Vocab: 320, Positions: 256,
			EpsBits: math.Float32bits(1e-5), Rope: hf.Rope{ThetaBits: math.Float32bits(10000)}},
		BOS: []uint32{0}, EOS: []uint32{1},
	}
}

// Kinds returns variants of Tiny that together use everything a config can say:
// tied, biases of Qwen2 and of Llama, heads wider than the residual, one head
// for all, both scalings.
func Kinds() map[string]hf.Config {
	out := map[string]hf.Config{}
	add := func(name string, change func(a *hf.Arch)) {
		c := Tiny()
		change(&c.Arch)
		out[name] = c
	}
	add("llama", func(*hf.Arch) {})
	add("tied", func(a *hf.Arch) { a.Tied = true })
	add("qwen2", func(a *hf.Arch) { a.BiasQKV, a.Tied = true, true })
	add("biases", func(a *hf.Arch) { a.BiasQKV, a.BiasOut, a.BiasMLP = true, true, true })
	add("wide heads", func(a *hf.Arch) { a.HeadDim, a.KVHeads = 24, 1 })
	add("linear", func(a *hf.Arch) { a.Rope.Scaling, a.Rope.FactorBits = hf.ScaleLinear, math.Float32bits(2.5) })
	add("llama3", func(a *hf.Arch) {
		a.Rope = hf.Rope{Scaling: hf.ScaleLlama3, ThetaBits: math.Float32bits(500000), FactorBits: math.Float32bits(8),
			LowBits: math.Float32bits(1), HighBits: math.Float32bits(4), Original: 64}
	})
	return out
}

// Write fills dir, which must hold no model: config.json, tokenizer.json,
// weights. The vocabulary has 258 ids or more.
func Write(dir string, o Options) error {
	if o.Text == "" {
		o.Text = corpus
	}
	var list []safetensors.Source
	for i, t := range o.Config.Arch.Tensors() {
		d := safetensors.F32
		if o.Mixed {
			d = []safetensors.DType{safetensors.F32, safetensors.BF16, safetensors.F16}[i%3]
		}
		list = append(list, source(t, d, fx.Stream{Seed: o.Seed, Stream: uint32(i), Purpose: fx.PurposeInit}))
	}
	if o.Shard == 0 {
		o.Shard = math.MaxUint64
	}
	json := TokenizerJSON(o.Text, int(o.Config.Arch.Vocab))
	return hf.Save(dir, o.Config, json, safetensors.Meta{Program: "hftest"}, list, o.Shard)
}

// source draws a tensor: gains about 1, biases about 0.1, matrices so that a row
// of unit inputs gives about 1.5, which makes attention and logits far from flat.
func source(t hf.Tensor, d safetensors.DType, s fx.Stream) safetensors.Source {
	n, width := uint64(1), t.Shape[len(t.Shape)-1]
	for _, k := range t.Shape {
		n *= k
	}
	x := make([]float32, n)
	s.FillNormal(x)
	for i := range x {
		switch {
		case strings.HasSuffix(t.Name, "norm"):
			x[i] = 1 + fx.Mul(0.25, x[i])
		case len(t.Shape) == 1:
			x[i] = fx.Mul(0.1, x[i])
		default:
			x[i] = fx.Mul(fx.Div(1.5, fx.Sqrt(float32(width))), x[i])
		}
	}
	return safetensors.Source{Name: t.HF, DType: d, Shape: t.Shape, Write: func(w io.Writer) error {
		_, err := w.Write(narrow(d, x))
		return err
	}}
}

// narrow cuts numbers to a shorter type, towards zero.
func narrow(d safetensors.DType, x []float32) (b []byte) {
	for _, v := range x {
		u := math.Float32bits(v)
		switch d {
		case safetensors.F32:
			b = binary.LittleEndian.AppendUint32(b, u)
		case safetensors.BF16:
			b = binary.LittleEndian.AppendUint16(b, uint16(u>>16))
		case safetensors.F16:
			h := uint16(u >> 16 & 0x8000)
			if e := u >> 23 & 255; e > 112 && e < 143 {
				h |= uint16((e-112)<<10 | u>>13&1023)
			}
			b = binary.LittleEndian.AppendUint16(b, h)
		}
	}
	return b
}

//go:embed llama_ref.py
var reference string

// Logits returns, for each list of token ids, the logits after every position, as
// llama_ref.py computes them from the folder. It needs python3. Cost: about 0.1 s
// for each 16 positions of Tiny.
func Logits(dir string, ids [][]uint32) ([][][]float64, error) {
	in, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("python3", "-c", reference, dir)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("llama_ref.py: %w\n%s", err, stderr.Bytes())
	}
	d := json.NewDecoder(bytes.NewReader(out))
	all := make([][][]float64, len(ids))
	for i := range all {
		if err := d.Decode(&all[i]); err != nil {
			return nil, fmt.Errorf("llama_ref.py: %w", err)
		}
	}
	return all, nil
}
