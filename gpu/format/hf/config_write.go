// SPDX-License-Identifier: Apache-2.0

package hf

import (
	"fmt"
	"math"
	"strconv"
)

// WriteConfig returns a config.json that ReadConfig reads as c again, bit for
// bit. A decoder with biases at q, k and v alone is written as a Qwen2, every
// other as a Llama. Errors: ErrArch if c is out of bounds, or if no family has
// its biases.
func WriteConfig(c Config) ([]byte, error) {
	a := c.Arch
	if err := a.Check(); err != nil {
		return nil, err
	}
	family := families[0]
	switch {
	case a.BiasQKV && !a.BiasOut && !a.BiasMLP:
		family = families[2]
	case a.BiasQKV != a.BiasOut:
		return nil, fmt.Errorf("%w: no model class has these biases", ErrArch)
	}
	b := fmt.Appendf(nil, "{\n  \"architectures\": [%q],\n  \"model_type\": %q", family.class, family.kind)
	add := func(name, value string) { b = fmt.Appendf(b, ",\n  %q: %s", name, value) }
	number := func(name string, n uint32) { add(name, strconv.FormatUint(uint64(n), 10)) }
	number("hidden_size", a.Hidden)
	number("intermediate_size", a.Inner)
	number("num_hidden_layers", a.Layers)
	number("num_attention_heads", a.Heads)
	number("num_key_value_heads", a.KVHeads)
	number("head_dim", a.HeadDim)
	number("vocab_size", a.Vocab)
	number("max_position_embeddings", a.Positions)
	add("hidden_act", `"silu"`)
	add("rms_norm_eps", decimal(a.EpsBits))
	add("tie_word_embeddings", strconv.FormatBool(a.Tied))
	if family.kind == "llama" {
		add("attention_bias", strconv.FormatBool(a.BiasQKV))
		add("mlp_bias", strconv.FormatBool(a.BiasMLP))
	} else {
		add("use_sliding_window", "false")
	}
	add("rope_theta", decimal(a.Rope.ThetaBits))
	switch r := a.Rope; r.Scaling {
	case ScaleNone:
		add("rope_scaling", "null")
	case ScaleLinear:
		add("rope_scaling", fmt.Sprintf(`{"rope_type": "linear", "factor": %s}`, decimal(r.FactorBits)))
	case ScaleLlama3:
		add("rope_scaling", fmt.Sprintf(`{"rope_type": "llama3", "factor": %s, "low_freq_factor": %s, "high_freq_factor": %s, "original_max_position_embeddings": %d}`,
			decimal(r.FactorBits), decimal(r.LowBits), decimal(r.HighBits), r.Original))
	}
	tokens := func(name string, ids []uint32) {
		switch len(ids) {
		case 0:
			add(name, "null")
		case 1:
			number(name, ids[0])
		default:
			list := strconv.AppendUint([]byte{'['}, uint64(ids[0]), 10)
			for _, id := range ids[1:] {
				list = strconv.AppendUint(append(list, ", "...), uint64(id), 10)
			}
			add(name, string(append(list, ']')))
		}
	}
	tokens("bos_token_id", c.BOS)
	tokens("eos_token_id", c.EOS)
	add("torch_dtype", `"float32"`)
	return append(b, "\n}\n"...), nil
}

// decimal returns the shortest text that rounds to the bits. Other readers take
// it for a binary64, so a point shows that it is no integer.
func decimal(bits uint32) string {
	s := strconv.FormatFloat(float64(math.Float32frombits(bits)), 'g', -1, 32)
	if _, err := strconv.Atoi(s); err == nil {
		s += ".0"
	}
	return s
}
