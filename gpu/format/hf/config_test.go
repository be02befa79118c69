// SPDX-License-Identifier: Apache-2.0

package hf

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu/format"
	"pgregory.net/rapid"
)

// base is a small Llama; cases replace parts of it.
const base = `{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 300, "max_position_embeddings": 512, "hidden_act": "silu", "rms_norm_eps": 1e-05,
"tie_word_embeddings": false, "rope_theta": 10000.0, "torch_dtype": "float32", "x": null}`

var baseArch = Arch{Layers: 2, Hidden: 64, Inner: 96, Heads: 4, KVHeads: 2, HeadDim: 16, Vocab: 300, Positions: 512, EpsBits: 0x3727c5ac, Rope: Rope{ThetaBits: bits(10000)}}

func with(change func(a *Arch)) Arch {
	a := baseArch
	change(&a)
	return a
}

// replace puts pairs of old and new into the base.
func replace(pairs ...string) string {
	s := base
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			panic("the base has no " + pairs[i])
		}
		s = strings.Replace(s, pairs[i], pairs[i+1], 1)
	}
	return s
}

// put adds members to the base.
func put(members string) string { return replace(`"x": null`, members) }

var (
	mistral = []string{"Llama", "Mistral", `"llama"`, `"mistral"`}
	qwen    = []string{"Llama", "Qwen2", `"llama"`, `"qwen2"`}
)

func TestTNS03ConfigsThatAreRead(t *testing.T) {
	llama3 := Rope{ScaleLlama3, bits(500000), bits(32), bits(1), bits(4), 8192}
	for name, c := range map[string]struct {
		text string
		want Arch
	}{
		"a Llama":              {base, baseArch},
		"biases":               {put(`"attention_bias": true, "mlp_bias": true`), with(func(a *Arch) { a.BiasQKV, a.BiasOut, a.BiasMLP = true, true, true })},
		"heads of their width": {put(`"head_dim": 32`), with(func(a *Arch) { a.HeadDim = 32 })},
		"defaults":             {replace(`"num_key_value_heads": 2, `, "", `"rms_norm_eps": 1e-05,`, "", `"rope_theta": 10000.0,`, ""), with(func(a *Arch) { a.KVHeads, a.EpsBits = 4, bits(1e-6) })},
		"tied":                 {replace("false", "true"), with(func(a *Arch) { a.Tied = true })},
		"llama3 scaling": {replace("10000.0", "500000.0", `"x": null`, `"rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"}`),
			with(func(a *Arch) { a.Rope = llama3 })},
		"rope_parameters": {replace(`"rope_theta": 10000.0`, `"rope_parameters": {"rope_theta": 500000, "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"}`),
			with(func(a *Arch) { a.Rope = llama3 })},
		"linear scaling, old name": {put(`"rope_scaling": {"type": "linear", "factor": 2.0}`), with(func(a *Arch) { a.Rope = Rope{Scaling: ScaleLinear, ThetaBits: bits(10000), FactorBits: bits(2)} })},
		"default scaling":          {put(`"rope_scaling": {"rope_type": "default"}`), baseArch},
		"fields without function":  {put(`"pretraining_tp": 1, "attention_dropout": 0.0, "use_cache": true, "transformers_version": "5", "rope_scaling": null, "quantization_config": null, "initializer_range": 0.02`), baseArch},
		"a Mistral":                {replace(append(mistral, `"x": null`, `"sliding_window": null`)...), baseArch},
		"a Qwen2":                  {replace(append(qwen, `"x": null`, `"use_sliding_window": false, "sliding_window": 32768, "max_window_layers": 2, "layer_types": ["full_attention", "full_attention"]`)...), with(func(a *Arch) { a.BiasQKV = true })},
		"the longest context":      {replace(`: 512`, `: 131072`), with(func(a *Arch) { a.Positions = 131072 })},
	} {
		got, err := ReadConfig([]byte(c.text))
		if err != nil || got.Arch != c.want {
			t.Errorf("%s: %+v, %v\nwant %+v", name, got.Arch, err, c.want)
		}
	}
	c, err := ReadConfig([]byte(put(`"bos_token_id": 1, "eos_token_id": [2, 299]`)))
	if err != nil || !reflect.DeepEqual(c.BOS, []uint32{1}) || !reflect.DeepEqual(c.EOS, []uint32{2, 299}) {
		t.Errorf("%v, %v", c, err)
	}
}

func TestTNS03ConfigsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"another class":             {replace("Llama", "Gemma"), "architectures"},
		"two classes":               {replace(`["LlamaForCausalLM"]`, `["LlamaForCausalLM", "MistralForCausalLM"]`), "architectures"},
		"no class":                  {replace(`"architectures": ["LlamaForCausalLM"], `, ""), "architectures is missing"},
		"another type":              {replace(`"llama"`, `"mistral"`), "model_type"},
		"another activation":        {replace("silu", "gelu"), "hidden_act"},
		"tensor parallel slices":    {put(`"pretraining_tp": 2`), "pretraining_tp"},
		"part of the head rotates":  {put(`"partial_rotary_factor": 0.5`), "partial_rotary_factor"},
		"dropout":                   {put(`"attention_dropout": 0.1`), "attention_dropout"},
		"quantised":                 {put(`"quantization_config": {"bits": 4}`), "quantization_config"},
		"code of its own":           {put(`"auto_map": {"AutoModel": "m.py"}`), "auto_map"},
		"an unknown field":          {put(`"logit_scale": 0.5`), "logit_scale"},
		"an unknown field, false":   {put(`"use_rope": false`), "use_rope"},
		"a field twice":             {put(`"hidden_size": 64`), "twice"},
		"a window":                  {put(`"sliding_window": 4096`), "sliding_window"},
		"Mistral without the field": {replace(mistral...), "sliding_window is missing"},
		"Mistral with a window":     {replace(append(mistral, `"x": null`, `"sliding_window": 4096`)...), "sliding_window"},
		"Qwen2 with a window":       {replace(append(qwen, `"x": null`, `"use_sliding_window": true`)...), "use_sliding_window"},
		"Qwen2 with window layers":  {replace(append(qwen, `"x": null`, `"layer_types": ["full_attention", "sliding_attention"]`)...), "layer_types"},
		"Qwen2 without kv heads":    {replace(append(qwen, `"num_key_value_heads": 2, `, "")...), "num_key_value_heads"},
		"yarn":                      {put(`"rope_scaling": {"rope_type": "yarn", "factor": 4}`), "yarn"},
		"dynamic, old name":         {put(`"rope_scaling": {"type": "dynamic", "factor": 4}`), "dynamic"},
		"two types":                 {put(`"rope_scaling": {"type": "linear", "rope_type": "llama3", "factor": 4}`), "type is"},
		"no type":                   {put(`"rope_scaling": {"factor": 4}`), "rope_type is missing"},
		"an unknown field of rope":  {put(`"rope_scaling": {"rope_type": "linear", "factor": 4, "beta": 1}`), "beta"},
		"rope twice":                {put(`"rope_scaling": {"rope_type": "linear", "factor": 4}, "rope_parameters": {"rope_type": "default"}`), "which one"},
		"two thetas":                {put(`"rope_parameters": {"rope_type": "default", "rope_theta": 5}`), "differs"},
		"no factor":                 {put(`"rope_scaling": {"rope_type": "linear"}`), "factor is missing"},
		"a factor below 1":          {put(`"rope_scaling": {"rope_type": "linear", "factor": 0.5}`), "factor"},
		"low above high":            {put(`"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1, "original_max_position_embeddings": 8192}`), "low_freq"},
		"theta of 1":                {replace("10000.0", "1"), "rope_theta"},
		"an endless theta":          {replace("10000.0", "1e39"), "rope_theta"},
		"eps of 0":                  {replace("1e-05", "0"), "rms_norm_eps"},
		"eps as a text":             {replace("1e-05", `"1e-5"`), "rms_norm_eps"},
		"no layers":                 {replace(`_layers": 2`, `_layers": 0`), "num_hidden_layers"},
		"too many layers":           {replace(`_layers": 2`, `_layers": 4294967295`), "num_hidden_layers"},
		"more than 32 bits":         {replace(`_layers": 2`, `_layers": 4294967298`), "num_hidden_layers"},
		"a width with a point":      {replace(`: 64`, `: 64.0`), "hidden_size"},
		"a huge width":              {replace(`: 64`, `: 1048576`), "hidden_size"},
		"a longer context":          {replace(`: 512`, `: 131073`), "max_position_embeddings"},
		"kv heads that do not fit":  {replace(`value_heads": 2`, `value_heads": 3`), "num_key_value_heads"},
		"heads that do not fit":     {replace(`attention_heads": 4`, `attention_heads": 5`), "head_dim is missing"},
		"odd heads":                 {put(`"head_dim": 15`), "odd"},
		"heads wider than all":      {replace(`attention_heads": 4`, `attention_heads": 1024`, `"x": null`, `"head_dim": 128`), "wider"},
		"a tie that is a number":    {replace("false", "0"), "tie_word_embeddings"},
		"an end outside":            {put(`"eos_token_id": 300`), "outside"},
		"a list in place of all":    {"[]", "object"},
		"no JSON":                   {"{", "name"},
		"more than a megabyte":      {base + strings.Repeat(" ", MaxConfig), "at most"},
	} {
		_, err := ReadConfig([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
			continue
		}
		if !errors.Is(err, format.ErrFormat) && !errors.Is(err, format.ErrUnsupported) && !errors.Is(err, ErrArch) {
			t.Errorf("%s: %v has no class", name, err)
		}
	}
}

// anArch draws a record within bounds.
func anArch(r *rapid.T) Arch {
	n := func(name string, most uint32) uint32 { return rapid.Uint32Range(1, most).Draw(r, name) }
	float := func(name string, low, high float32) uint32 {
		return bits(rapid.Float32Range(low, high).Filter(func(x float32) bool { return x > low }).Draw(r, name))
	}
	kv := n("kv", 32)
	a := Arch{Layers: n("layers", MaxLayers), Hidden: n("hidden", MaxHidden), Inner: n("inner", MaxInner), KVHeads: kv, Heads: kv * n("group", 32),
		HeadDim: 2 * n("half", 32), Vocab: n("vocab", MaxVocab), Positions: n("positions", MaxPositions), EpsBits: float("eps", 0, 1), Tied: rapid.Bool().Draw(r, "tied")}
	a.BiasQKV, a.BiasMLP = rapid.Bool().Draw(r, "qkv"), rapid.Bool().Draw(r, "mlp")
	a.BiasOut = a.BiasQKV && (a.BiasMLP || rapid.Bool().Draw(r, "out"))
	a.Rope = Rope{Scaling: Scaling(rapid.IntRange(0, 2).Draw(r, "scaling")), ThetaBits: float("theta", 1, maxTheta)}
	if a.Rope.Scaling != ScaleNone {
		a.Rope.FactorBits = float("factor", 1, maxFactor)
	}
	if a.Rope.Scaling == ScaleLlama3 {
		a.Rope.LowBits, a.Rope.HighBits, a.Rope.Original = float("low", 0, 10), float("high", 10, 100), n("original", MaxPositions)
	}
	return a
}

func TestTNS03WhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := Config{Arch: anArch(r)}
		c.BOS = rapid.SliceOfN(rapid.Uint32Range(0, c.Arch.Vocab-1), 0, 1).Draw(r, "bos")
		c.EOS = rapid.SliceOfN(rapid.Uint32Range(0, c.Arch.Vocab-1), 0, 3).Draw(r, "eos")
		b, err := WriteConfig(c)
		if err != nil {
			r.Fatal(err)
		}
		got, err := ReadConfig(b)
		if err != nil || got.Arch != c.Arch || fmt.Sprint(got) != fmt.Sprint(c) {
			r.Fatalf("%+v, %v\nfrom %+v\n%s", got, err, c, b)
		}
	})
	if _, err := WriteConfig(Config{Arch: with(func(a *Arch) { a.BiasOut = true })}); !errors.Is(err, ErrArch) {
		t.Errorf("a bias that no family has: %v", err)
	}
	if _, err := WriteConfig(Config{}); !errors.Is(err, ErrArch) {
		t.Errorf("an empty record: %v", err)
	}
}

func TestTNS03TensorsOfAnArch(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a := anArch(r)
		names, hf := map[string]bool{}, map[string]bool{}
		last := ""
		for _, x := range a.Tensors() {
			if names[x.Name] || hf[x.HF] || x.Name <= last {
				r.Fatalf("%s stands twice or out of order", x.Name)
			}
			names[x.Name], hf[x.HF], last = true, true, x.Name
		}
		want := 9*int(a.Layers) + 3
		for _, c := range []struct {
			on bool
			n  int
		}{{a.Tied, -1}, {a.BiasQKV, 3 * int(a.Layers)}, {a.BiasOut, int(a.Layers)}, {a.BiasMLP, 3 * int(a.Layers)}} {
			if c.on {
				want += c.n
			}
		}
		if len(names) != want {
			r.Fatalf("%d tensors, want %d", len(names), want)
		}
	})
	// Llama 3.2 1B has 1,235,814,400 weights.
	a := Arch{Layers: 16, Hidden: 2048, Inner: 8192, Heads: 32, KVHeads: 8, HeadDim: 64, Vocab: 128256, Positions: 131072, Tied: true}
	if n := a.Params(); n != 1_235_814_400 {
		t.Errorf("%d weights", n)
	}
}

func FuzzReadConfig(f *testing.F) {
	f.Add([]byte(base))
	f.Add([]byte(put(`"bos_token_id": 1, "eos_token_id": [2, 299], "rope_scaling": {"type": "linear", "factor": 2.0}`)))
	f.Add([]byte(replace(append(qwen, `"x": null`, `"rope_parameters": {"rope_theta": 5e5, "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"}`)...)))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ReadConfig(b)
		if err != nil {
			if !errors.Is(err, format.ErrFormat) && !errors.Is(err, format.ErrUnsupported) && !errors.Is(err, ErrArch) {
				t.Fatalf("%v has no class", err)
			}
			return
		}
		out, err := WriteConfig(c)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ReadConfig(out); err != nil || again.Arch != c.Arch {
			t.Fatalf("%+v, %v\nwas %+v", again, err, c)
		}
	})
}
