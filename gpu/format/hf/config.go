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
	f, err := newFields(v)
	if err != nil {
		return c, err
	}
	kind := f.family()
	a := &c.Arch
	a.Layers = f.uint("num_hidden_layers", nil)
	a.Hidden = f.uint("hidden_size", nil)
	a.Inner = f.uint("intermediate_size", nil)
	a.Heads = f.uint("num_attention_heads", nil)
	if kind == "llama" { // the others' defaults are numbers of certain models
		a.KVHeads = f.uint("num_key_value_heads", &a.Heads)
	} else {
		a.KVHeads = f.uint("num_key_value_heads", nil)
	}
	a.HeadDim = f.headDim(a.Hidden, a.Heads)
	a.Vocab = f.uint("vocab_size", nil)
	a.Positions = f.uint("max_position_embeddings", nil)
	a.EpsBits = f.float("rms_norm_eps", 1e-6)
	a.Tied = f.flag("tie_word_embeddings")
	f.biases(kind, a)
	f.window(kind)
	f.rope(&a.Rope)
	c.BOS, c.EOS = f.tokens("bos_token_id"), f.tokens("eos_token_id")
	f.fixed()
	if f.err == nil {
		f.err = f.rest()
	}
	if f.err == nil {
		f.err = a.Check()
	}
	if f.err != nil {
		return Config{}, f.err
	}
	for _, id := range slices.Concat(c.BOS, c.EOS) {
		if id >= a.Vocab {
			return Config{}, v.Fail("bos_token_id or eos_token_id %d is outside of vocab_size %d", id, a.Vocab)
		}
	}
	return c, nil
}

// fields are the members of an object of which not all have been asked for. Its
// methods do nothing after the first error.
type fields struct {
	at   format.Value
	m    map[string]format.Value
	keys []string // in file order
	err  error
}

func newFields(v format.Value) (*fields, error) {
	f := &fields{at: v, m: map[string]format.Value{}}
	return f, v.Object(func(key string, v format.Value) error {
		f.m[key] = v
		f.keys = append(f.keys, key)
		return nil
	})
}

// take removes a field. null is as good as absent.
func (f *fields) take(name string) (format.Value, bool) {
	v, ok := f.m[name]
	delete(f.m, name)
	return v, ok && !v.IsNull() && f.err == nil
}

func (f *fields) missing(name string) {
	if f.err == nil {
		f.err = f.at.Fail("%s is missing", name)
	}
}

// uint reads an integer; without a default it must be there.
func (f *fields) uint(name string, otherwise *uint32) uint32 {
	v, ok := f.take(name)
	if !ok {
		if otherwise != nil {
			return *otherwise
		}
		f.missing(name)
		return 0
	}
	var n uint64
	n, f.err = v.Uint(math.MaxUint32)
	return uint32(n)
}

func (f *fields) headDim(hidden, heads uint32) uint32 {
	if heads != 0 && hidden%heads == 0 {
		d := hidden / heads
		return f.uint("head_dim", &d)
	}
	return f.uint("head_dim", nil)
}

// float reads a number and rounds it once to binary32; zero as default means that
// it must be there.
func (f *fields) float(name string, otherwise float32) uint32 {
	v, ok := f.take(name)
	if !ok {
		if otherwise == 0 {
			f.missing(name)
		}
		return math.Float32bits(otherwise)
	}
	var x float32
	x, f.err = v.Float32()
	return math.Float32bits(x)
}

func (f *fields) flag(name string) (on bool) {
	if v, ok := f.take(name); ok {
		on, f.err = v.Bool()
	}
	return on
}

func (f *fields) text(name string) (s string) {
	if v, ok := f.take(name); ok {
		s, f.err = v.Text()
	}
	return s
}

func (f *fields) family() string {
	v, ok := f.take("architectures")
	if !ok {
		f.missing("architectures")
		return ""
	}
	var class []string
	f.err = v.Array(func(i int, v format.Value) error {
		s, err := v.Text()
		class = append(class, s)
		return err
	})
	kind := f.text("model_type")
	for _, k := range families {
		if len(class) == 1 && class[0] == k.class {
			if kind != k.kind && f.err == nil {
				f.err = f.at.Unsupported("model_type %q is not %q, as architectures %s has it", kind, k.kind, k.class)
			}
			return kind
		}
	}
	if f.err == nil {
		f.err = v.Unsupported("%.80q; LlamaForCausalLM, MistralForCausalLM and Qwen2ForCausalLM are read", class)
	}
	return kind
}

func (f *fields) biases(kind string, a *Arch) {
	switch kind {
	case "llama":
		a.BiasQKV = f.flag("attention_bias")
		a.BiasOut = a.BiasQKV
		a.BiasMLP = f.flag("mlp_bias")
	case "qwen2":
		a.BiasQKV = true
	}
}

// window refuses sliding windows. A Mistral without the field has one of 4,096;
// a Qwen2 has one only if use_sliding_window says so.
func (f *fields) window(kind string) {
	v, there := f.m["sliding_window"]
	delete(f.m, "sliding_window")
	switch {
	case f.err != nil:
	case kind == "mistral" && !there:
		f.err = f.at.Unsupported("sliding_window is missing, which means 4096; only null is supported")
	case kind != "qwen2" && there && !v.IsNull():
		f.err = v.Unsupported("attention through a sliding window; only null is supported")
	}
	v, there = f.take("layer_types")
	if !there {
		return
	}
	f.err = v.Array(func(i int, v format.Value) error {
		s, err := v.Text()
		if err == nil && s != "full_attention" {
			err = v.Unsupported("layer %d has %.40q; only full_attention is supported", i, s)
		}
		return err
	})
}

// tokens reads an id or a list of ids.
func (f *fields) tokens(name string) (ids []uint32) {
	v, ok := f.take(name)
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
		f.err = v.Array(one)
	} else {
		f.err = one(0, v)
	}
	return ids
}

// fixed checks the fields of which one value is supported.
func (f *fields) fixed() {
	if v, ok := f.m["hidden_act"]; ok && f.err == nil {
		if s := f.text("hidden_act"); f.err == nil && s != "silu" {
			f.err = v.Unsupported("%.40q; only silu is supported", s)
		}
	}
	for _, name := range []string{"pretraining_tp", "partial_rotary_factor"} {
		v, ok := f.m[name]
		if x := f.float(name, 1); ok && f.err == nil && x != math.Float32bits(1) {
			f.err = v.Unsupported("only 1 is supported")
		}
	}
}

// rest looks at what nobody asked for.
func (f *fields) rest() error {
	for _, key := range f.keys {
		v, left := f.m[key]
		switch {
		case !left || v.IsNull() || slices.Contains(noFunction, key):
		case !slices.Contains(mustBeOff, key):
			return v.Unsupported("this program does not know the field, so it does not know the model")
		case !v.IsZero():
			return v.Unsupported("the field would change what the model computes")
		}
	}
	return nil
}
