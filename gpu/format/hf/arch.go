// SPDX-License-Identifier: Apache-2.0

package hf

import (
	"errors"
	"fmt"
	"math"
)

// Arch says what a decoder computes, as pure data: equal records are equal
// functions of equal weights. Fields whose names end in Bits are binary32 bits.
//
// A layer is x += O·attention(RMSNorm(x)); x += down·(silu(gate·h)·(up·h)), h =
// RMSNorm(x); logits are head·RMSNorm(x). Query head i reads key and value head
// i/(Heads/KVHeads). Spec: TNS-03.
type Arch struct {
	Layers    uint32 // 1 to 256
	Hidden    uint32 // width of the residual, 1 to 65,536
	Inner     uint32 // width of the MLP, 1 to 131,072
	Heads     uint32 // query heads, 1 to 1,024
	KVHeads   uint32 // key and value heads; divides Heads
	HeadDim   uint32 // width of a head, even, 2 to 512; Heads·HeadDim ≤ 65,536
	Vocab     uint32 // rows of the embedding, 1 to 2^20
	Positions uint32 // longest sequence, 1 to 131,072
	EpsBits   uint32 // added to the mean square in RMSNorm, in (0, 1)

	Tied    bool // the head is the embedding
	BiasQKV bool // q, k and v have biases
	BiasOut bool // the output projection of attention has one
	BiasMLP bool // gate, up and down have one

	Rope Rope
}

// Scaling says how RoPE's frequencies are stretched.
type Scaling uint8

// Kinds of scaling.
const (
	ScaleNone   Scaling = iota
	ScaleLinear         // every frequency divided by the factor
	ScaleLlama3         // by wavelength: short ones kept, long ones divided, between them a mix
)

// Rope says how positions rotate. Base frequency i is Theta^(−2i/HeadDim), for
// the pair (i, i + HeadDim/2). Fields that Scaling does not use are 0.
type Rope struct {
	Scaling    Scaling
	ThetaBits  uint32 // > 1, at most 2^40
	FactorBits uint32 // 1 to 1,024
	LowBits    uint32 // ScaleLlama3: 0 < low < high ≤ 1,024
	HighBits   uint32
	Original   uint32 // ScaleLlama3: positions before stretching, 1 to 131,072
}

// Bounds of an Arch.
const (
	MaxLayers    = 256
	MaxHidden    = 65_536
	MaxInner     = 131_072
	MaxHeads     = 1_024
	MaxHeadDim   = 512
	MaxVocab     = 1 << 20
	MaxPositions = 131_072
	maxTheta     = 1 << 40
	maxFactor    = 1_024
)

// ErrArch is the class of records out of bounds.
var ErrArch = errors.New("architecture out of bounds")

// Check verifies every bound. All arithmetic on a checked record fits 64 bits.
// Errors: ErrArch, naming the field as config.json does.
func (a Arch) Check() error {
	for _, f := range []struct {
		name        string
		value, most uint32
	}{
		{"num_hidden_layers", a.Layers, MaxLayers},
		{"hidden_size", a.Hidden, MaxHidden},
		{"intermediate_size", a.Inner, MaxInner},
		{"num_attention_heads", a.Heads, MaxHeads},
		{"num_key_value_heads", a.KVHeads, a.Heads},
		{"head_dim", a.HeadDim, MaxHeadDim},
		{"vocab_size", a.Vocab, MaxVocab},
		{"max_position_embeddings", a.Positions, MaxPositions},
	} {
		if f.value < 1 || f.value > f.most {
			return fmt.Errorf("%w: %s is %d, must be 1 to %d", ErrArch, f.name, f.value, f.most)
		}
	}
	if a.Heads%a.KVHeads != 0 {
		return fmt.Errorf("%w: num_key_value_heads %d does not divide num_attention_heads %d", ErrArch, a.KVHeads, a.Heads)
	}
	if a.HeadDim%2 != 0 {
		return fmt.Errorf("%w: head_dim %d is odd, RoPE needs pairs", ErrArch, a.HeadDim)
	}
	if a.Heads*a.HeadDim > MaxHidden {
		return fmt.Errorf("%w: %d heads of head_dim %d are wider than %d", ErrArch, a.Heads, a.HeadDim, MaxHidden)
	}
	if !within(a.EpsBits, 0, 1) {
		return fmt.Errorf("%w: rms_norm_eps is %g, must be between 0 and 1", ErrArch, math.Float32frombits(a.EpsBits))
	}
	return a.Rope.check()
}

// within reports whether bits are a number with low < x <= high.
func within(bits uint32, low, high float32) bool {
	x := math.Float32frombits(bits)
	return x > low && x <= high
}

func (r Rope) check() error {
	if !within(r.ThetaBits, 1, maxTheta) {
		return fmt.Errorf("%w: rope_theta is %g, must be above 1 and at most 2^40", ErrArch, math.Float32frombits(r.ThetaBits))
	}
	want := Rope{Scaling: r.Scaling, ThetaBits: r.ThetaBits}
	switch r.Scaling {
	case ScaleNone:
	case ScaleLlama3:
		want = r
		low := math.Float32frombits(r.LowBits)
		if !within(r.LowBits, 0, maxFactor) || !within(r.HighBits, low, maxFactor) {
			return fmt.Errorf("%w: rope_scaling wants 0 < low_freq_factor < high_freq_factor <= %d", ErrArch, maxFactor)
		}
		if r.Original < 1 || r.Original > MaxPositions {
			return fmt.Errorf("%w: rope_scaling.original_max_position_embeddings is %d, must be 1 to %d", ErrArch, r.Original, MaxPositions)
		}
	case ScaleLinear:
		want.FactorBits = r.FactorBits
	default:
		return fmt.Errorf("%w: rope scaling %d", ErrArch, r.Scaling)
	}
	if r.Scaling != ScaleNone && (!within(r.FactorBits, 0, maxFactor) || math.Float32frombits(r.FactorBits) < 1) {
		return fmt.Errorf("%w: rope_scaling.factor is %g, must be 1 to %d", ErrArch, math.Float32frombits(r.FactorBits), maxFactor)
	}
	if r != want {
		return fmt.Errorf("%w: the rope record has fields that its scaling does not use", ErrArch)
	}
	return nil
}

// Params returns the number of weights. a must have passed Check.
func (a Arch) Params() uint64 {
	var n uint64
	for _, t := range a.Tensors() {
		k := uint64(1)
		for _, s := range t.Shape {
			k *= s
		}
		n += k
	}
	return n
}
