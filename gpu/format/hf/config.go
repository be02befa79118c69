// SPDX-License-Identifier: Apache-2.0

package hf

import (
	"fmt"
	"math"
	"slices"

	"github.com/openledger/openledger/gpu/format"
)

// Config is what config.json says: the function, and which tokens begin and end
// a text. There may be none, or several that end it.
type Config struct {
	Arch     Arch
	BOS, EOS []uint32
}

// MaxConfig bounds config.json, in bytes.
const MaxConfig = 1 << 20

// family is a model class that Arch can express.
type family struct{ class, kind string }

var families = []family{{"LlamaForCausalLM", "llama"}, {"MistralForCausalLM", "mistral"}, {"Qwen2ForCausalLM", "qwen2"}}

// noFunction lists fields that say nothing about what the model computes.
var noFunction = []string{"_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache", "initializer_range",
	"pad_token_id", "is_llama_config", "transformers.js_config", "return_dict", "tokenizer_class", "max_window_layers",
	"keys_to_ignore_at_inference", "unsloth_version", "unsloth_fixed"}

// mustBeOff lists fields that change the function unless they are null, false,
// zero or empty.
var mustBeOff = []string{"attention_dropout", "use_sliding_window", "rope_interleaved", "use_mrope", "quantization_config", "auto_map",
	"output_attentions", "output_hidden_states", "torchscript", "add_cross_attention", "is_encoder_decoder", "tie_encoder_decoder",
	"pruned_heads", "chunk_size_feed_forward", "cross_attention_hidden_size", "use_bfloat16", "problem_type", "task_specific_params", "residual_dropout",
	"embd_pdrop", "resid_pdrop"}

// ReadConfig reads config.json. generation_config.json is another file and is
// not read. Errors: format.ErrFormat, format.ErrUnsupported naming the field,
// ErrArch. Spec: TNS-03.
func ReadConfig(b []byte) (Config, error) {
	var c Config
	if len(b) > MaxConfig {
		return c, fmt.Errorf("%w: config.json has %d bytes, at most %d", format.ErrFormat, len(b), MaxConfig)
	}
	v, err := format.Parse("config.json", b)
	if err != nil {
		return c, err
	}
	f := fields{format.NewFields(v)}
	kind := f.family()
	a := &c.Arch
	a.Layers = f.Uint("num_hidden_layers", nil)
	a.Hidden = f.Uint("hidden_size", nil)
	a.Inner = f.Uint("intermediate_size", nil)
	a.Heads = f.Uint("num_attention_heads", nil)
	if kind == "llama" { // the others' defaults are numbers of certain models
		a.KVHeads = f.Uint("num_key_value_heads", &a.Heads)
	} else {
		a.KVHeads = f.Uint("num_key_value_heads", nil)
	}
	a.HeadDim = f.headDim(a.Hidden, a.Heads)
	a.Vocab = f.Uint("vocab_size", nil)
	a.Positions = f.Uint("max_position_embeddings", nil)
	a.EpsBits = f.Float("rms_norm_eps", 1e-6)
	a.Tied = f.Flag("tie_word_embeddings", false)
	f.biases(kind, a)
	f.window(kind)
	f.rope(&a.Rope)
	c.BOS, c.EOS = f.tokens("bos_token_id"), f.tokens("eos_token_id")
	f.fixed()
	if err := f.rest(); err != nil {
		return Config{}, err
	}
	if err := a.Check(); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	for _, id := range slices.Concat(c.BOS, c.EOS) {
		if id >= a.Vocab {
			return Config{}, v.Fail("bos_token_id or eos_token_id %d is outside of vocab_size %d", id, a.Vocab)
		}
	}
	return c, nil
}

// fields are the members of config.json, or of an object within, not yet read.
type fields struct{ *format.Fields }

func (f fields) headDim(hidden, heads uint32) uint32 {
	if heads != 0 && hidden%heads == 0 {
		d := hidden / heads
		return f.Uint("head_dim", &d)
	}
	return f.Uint("head_dim", nil)
}

func (f fields) family() string {
	v, ok := f.Need("architectures")
	if !ok {
		return ""
	}
	var class []string
	f.Err = v.Array(func(i int, v format.Value) error {
		s, err := v.Text()
		class = append(class, s)
		return err
	})
	kind := f.Text("model_type")
	for _, k := range families {
		if len(class) == 1 && class[0] == k.class {
			if kind != k.kind && f.Err == nil {
				f.Err = f.At.Unsupported("model_type %q is not %q, as architectures %s has it", kind, k.kind, k.class)
			}
			return kind
		}
	}
	if f.Err == nil {
		f.Err = v.Unsupported("%.80q; LlamaForCausalLM, MistralForCausalLM and Qwen2ForCausalLM are read", class)
	}
	return kind
}

func (f fields) biases(kind string, a *Arch) {
	switch kind {
	case "llama":
		a.BiasQKV = f.Flag("attention_bias", false)
		a.BiasOut = a.BiasQKV
		a.BiasMLP = f.Flag("mlp_bias", false)
	case "qwen2":
		a.BiasQKV = true
	}
}

// window refuses sliding windows. A Mistral without the field has one of 4,096;
// a Qwen2 has one only if use_sliding_window says so.
func (f fields) window(kind string) {
	v, there := f.Peek("sliding_window")
	f.Take("sliding_window")
	switch {
	case f.Err != nil:
	case kind == "mistral" && !there:
		f.Err = f.At.Unsupported("sliding_window is missing, which means 4096; only null is supported")
	case kind != "qwen2" && there && !v.IsNull():
		f.Err = v.Unsupported("attention through a sliding window; only null is supported")
	}
	v, there = f.Take("layer_types")
	if !there {
		return
	}
	f.Err = v.Array(func(i int, v format.Value) error {
		s, err := v.Text()
		if err == nil && s != "full_attention" {
			err = v.Unsupported("layer %d has %.40q; only full_attention is supported", i, s)
		}
		return err
	})
}

// tokens reads an id or a list of ids.
func (f fields) tokens(name string) (ids []uint32) {
	v, ok := f.Take(name)
	if !ok {
		return nil
	}
	one := func(_ int, v format.Value) error {
		n, err := v.Uint(MaxVocab - 1)
		if ids = append(ids, uint32(n)); len(ids) > 64 {
			return v.Fail("more than 64 tokens")
		}
		return err
	}
	if v.IsArray() {
		f.Err = v.Array(one)
	} else {
		f.Err = one(0, v)
	}
	return ids
}

// fixed checks the fields of which one value is supported.
func (f fields) fixed() {
	if v, ok := f.Peek("hidden_act"); ok && f.Err == nil {
		if s := f.Text("hidden_act"); f.Err == nil && s != "silu" {
			f.Err = v.Unsupported("%.40q; only silu is supported", s)
		}
	}
	for _, name := range []string{"pretraining_tp", "partial_rotary_factor"} {
		v, ok := f.Peek(name)
		if x := f.Float(name, 1); ok && f.Err == nil && x != math.Float32bits(1) {
			f.Err = v.Unsupported("only 1 is supported")
		}
	}
}

// rest looks at what nobody asked for.
func (f fields) rest() error {
	return f.Rest(func(key string, v format.Value) error {
		switch {
		case slices.Contains(noFunction, key):
		case !slices.Contains(mustBeOff, key):
			return v.Unsupported("this program does not know the field, so it does not know the model")
		case !v.IsZero():
			return v.Unsupported("the field would change what the model computes")
		}
		return nil
	})
}
