// SPDX-License-Identifier: Apache-2.0

package decoder

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Group is how many values of a quantised row share a scale. Spec: FX-07.
const Group = 128

// MaxRank bounds the rank of adapters. Spec: TNS-05.
const MaxRank = 256

// Arch is the size and the options of a decoder. Positions is the height of the
// tables of RoPE. Eps is the bits of what RMSNorm adds. Spec: TNS-03.
type Arch struct {
	_         struct{} `cbor:",toarray"`
	Layers    uint64   `json:"layers"`
	Hidden    uint64   `json:"hidden"`
	Inner     uint64   `json:"inner"`
	Heads     uint64   `json:"heads"`
	KVHeads   uint64   `json:"kv_heads"`
	HeadDim   uint64   `json:"head_dim"`
	Vocab     uint64   `json:"vocab"`
	Positions uint64   `json:"positions"`
	Eps       uint32   `json:"eps"`
	Tied      bool     `json:"tied"`
	BiasQKV   bool     `json:"bias_qkv"`
	BiasOut   bool     `json:"bias_out"`
	BiasMLP   bool     `json:"bias_mlp"`
}

// LoRA are adapters of a frozen model: y = Wx + Scale·B(Ax), A [Rank, in], B
// [out, Rank]. Rank 0 is none. Targets are names of matrices of a layer (q k v o
// gate up down), ascending. Spec: TNS-05.
type LoRA struct {
	_       struct{} `cbor:",toarray"`
	Rank    uint64   `json:"rank"`
	Scale   uint32   `json:"scale"` // bits of α/r
	Targets []string `json:"targets"`
}

// Net is a decoder as it is computed: its weights in fx/1, or its matrices but the
// embedding in fx/int8; with adapters or without.
type Net struct {
	_    struct{} `cbor:",toarray"`
	Arch Arch     `json:"arch"`
	Int8 bool     `json:"int8"`
	LoRA LoRA     `json:"lora"`
}

// Tensor is a weight: its name, type and shape. Matrices are [out, in].
type Tensor struct {
	Name  string
	Type  fx.Type
	Shape []uint64
}

// Len is the number of elements.
func (t Tensor) Len() uint64 {
	n := uint64(1)
	for _, s := range t.Shape {
		n *= s
	}
	return n
}

// Matrices are the names of the matrices of a layer, ascending.
func Matrices() []string { return []string{"down", "gate", "k", "o", "q", "up", "v"} }

// Layer is the prefix of the names of layer l.
func Layer(l uint64) string { return fmt.Sprintf("layers.%03d.", l) }

// Check verifies sizes and adapters. Errors: program.ErrSpec.
func (n Net) Check() error {
	a := n.Arch
	for _, f := range []struct {
		name    string
		v, most uint64
	}{
		{"layers", a.Layers, 256}, {"hidden", a.Hidden, 65_536}, {"inner", a.Inner, 131_072}, {"heads", a.Heads, 1_024},
		{"key heads", a.KVHeads, a.Heads}, {"head width", a.HeadDim, 512}, {"vocabulary", a.Vocab, 1 << 20}, {"positions", a.Positions, 131_072},
	} {
		if f.v < 1 || f.v > f.most {
			return fmt.Errorf("%w: decoder: %s %d is not in 1..%d", program.ErrSpec, f.name, f.v, f.most)
		}
	}
	if a.Heads%a.KVHeads != 0 || a.HeadDim%2 != 0 {
		return fmt.Errorf("%w: decoder: %d heads over %d, of width %d", program.ErrSpec, a.Heads, a.KVHeads, a.HeadDim)
	}
	if n.LoRA.Rank > MaxRank || (n.LoRA.Rank == 0) != (len(n.LoRA.Targets) == 0) {
		return fmt.Errorf("%w: adapters of rank %d for %q; a rank is 1 to %d", program.ErrSpec, n.LoRA.Rank, n.LoRA.Targets, MaxRank)
	}
	for i, t := range n.LoRA.Targets {
		if !slices.Contains(Matrices(), t) || i > 0 && t <= n.LoRA.Targets[i-1] {
			return fmt.Errorf("%w: adapters for %q; take some of %q in this order", program.ErrSpec, n.LoRA.Targets, Matrices())
		}
	}
	return nil
}

// dims are [out, in] of a matrix of a layer.
func (a Arch) dims(name string) []uint64 {
	q, kv := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	switch name {
	case "q":
		return []uint64{q, a.Hidden}
	case "k", "v":
		return []uint64{kv, a.Hidden}
	case "o":
		return []uint64{a.Hidden, q}
	case "down":
		return []uint64{a.Hidden, a.Inner}
	}
	return []uint64{a.Inner, a.Hidden}
}

func (a Arch) biased(name string) bool {
	switch name {
	case "q", "k", "v":
		return a.BiasQKV
	case "o":
		return a.BiasOut
	}
	return a.BiasMLP
}

// Weights lists the weights by name as they stand before quantisation, without
// adapters: embed, head unless tied, norm, and of layer l the names Layer(l) +
// attn_norm, mlp_norm, the matrices and their biases (q_bias …).
func (a Arch) Weights() []Tensor {
	list := []Tensor{{"embed", fx.F32, []uint64{a.Vocab, a.Hidden}}, {"norm", fx.F32, []uint64{a.Hidden}}}
	if !a.Tied {
		list = append(list, Tensor{"head", fx.F32, []uint64{a.Vocab, a.Hidden}})
	}
	for l := range a.Layers {
		p := Layer(l)
		list = append(list, Tensor{p + "attn_norm", fx.F32, []uint64{a.Hidden}}, Tensor{p + "mlp_norm", fx.F32, []uint64{a.Hidden}})
		for _, m := range Matrices() {
			list = append(list, Tensor{p + m, fx.F32, a.dims(m)})
			if a.biased(m) {
				list = append(list, Tensor{p + m + "_bias", fx.F32, a.dims(m)[:1]})
			}
		}
	}
	slices.SortFunc(list, func(x, y Tensor) int { return cmp.Compare(x.Name, y.Name) })
	return list
}

// Adapters lists the adapters by name: Layer(l) + matrix + ".lora_a" and ".lora_b".
func (n Net) Adapters() []Tensor {
	var list []Tensor
	for l := range n.Arch.Layers {
		for _, m := range n.LoRA.Targets {
			d := n.Arch.dims(m)
			list = append(list, Tensor{Layer(l) + m + ".lora_a", fx.F32, []uint64{n.LoRA.Rank, d[1]}},
				Tensor{Layer(l) + m + ".lora_b", fx.F32, []uint64{d[0], n.LoRA.Rank}})
		}
	}
	slices.SortFunc(list, func(x, y Tensor) int { return cmp.Compare(x.Name, y.Name) })
	return list
}

// Quantised reports whether a weight is held as codes (its name + ".q") and scales
// (+ ".s"): all matrices but the embedding, whose rows are looked up. A tied head is
// held a second time, as "head".
func (n Net) Quantised(t Tensor) bool { return n.Int8 && len(t.Shape) == 2 && t.Name != "embed" }

// Held lists what a device holds of the weights, by name.
func (n Net) Held() []Tensor {
	var list []Tensor
	weights := n.Arch.Weights()
	if n.Int8 && n.Arch.Tied {
		weights = append(weights, Tensor{"head", fx.F32, []uint64{n.Arch.Vocab, n.Arch.Hidden}})
	}
	for _, t := range weights {
		if !n.Quantised(t) {
			list = append(list, t)
			continue
		}
		list = append(list, Tensor{t.Name + ".q", fx.I8, t.Shape}, Tensor{t.Name + ".s", fx.F32, []uint64{t.Shape[0], (t.Shape[1] + Group - 1) / Group}})
	}
	slices.SortFunc(list, func(x, y Tensor) int { return cmp.Compare(x.Name, y.Name) })
	return list
}

// Bytes is the memory of all of them, the tables of RoPE included. Layers are alike,
// so its cost does not grow with their number: descriptions are checked before it is
// known who signed them.
func (n Net) Bytes() uint64 {
	of := func(layers uint64) uint64 {
		m := n
		m.Arch.Layers = layers
		total := 4 * n.Arch.Positions * n.Arch.HeadDim
		for _, t := range slices.Concat(m.Held(), m.Adapters()) {
			total += t.Len() * t.Type.Size()
		}
		return total
	}
	none := of(0)
	return none + n.Arch.Layers*(of(1)-none)
}

// isAdapter reports whether a name is that of an adapter.
func isAdapter(name string) bool {
	return strings.HasSuffix(name, ".lora_a") || strings.HasSuffix(name, ".lora_b")
}
