// SPDX-License-Identifier: Apache-2.0

package pack

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/openledger/openledger/gpu/format"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/decoder"
)

// peft is an adapter_config.json.
type peft struct {
	PeftType      string   `json:"peft_type"`
	TaskType      string   `json:"task_type"`
	Base          string   `json:"base_model_name_or_path"`
	R             uint64   `json:"r"`
	Alpha         float32  `json:"lora_alpha"`
	Dropout       float32  `json:"lora_dropout"`
	Bias          string   `json:"bias"`
	Targets       []string `json:"target_modules"`
	FanInFanOut   bool     `json:"fan_in_fan_out"`
	InferenceMode bool     `json:"inference_mode"`
}

// asked are the fields of an adapter_config.json that change what adapters compute.
type asked struct {
	peft
	RSLoRA  bool            `json:"use_rslora"`
	DoRA    bool            `json:"use_dora"`
	Ranks   map[string]any  `json:"rank_pattern"`
	Alphas  map[string]any  `json:"alpha_pattern"`
	Layers  json.RawMessage `json:"layers_to_transform"`
	Saved   []string        `json:"modules_to_save"`
	Targets json.RawMessage `json:"target_modules"`
}

// LoRA is adapters of rank r with α for the matrices targets, in any order; none is
// all of them.
func LoRA(r uint64, alpha float32, targets []string) decoder.LoRA {
	if len(targets) == 0 {
		targets = decoder.Matrices()
	}
	targets = slices.Clone(targets)
	slices.Sort(targets)
	return decoder.LoRA{Rank: r, Scale: scale(r, alpha), Targets: targets}
}

// scale is the bits of α/r.
func scale(r uint64, alpha float32) uint32 {
	return fx.Bits(fx.Div(alpha, fx.FromInt(int32(min(r, 1<<20)))))
}

// Alpha finds an α with the scale of adapters, the one nearest to scale·r. Errors:
// format.ErrFormat if there is none: PEFT cannot write such adapters.
func Alpha(l decoder.LoRA) (float32, error) {
	at := int64(fx.Bits(fx.Mul(fx.FromBits(l.Scale), fx.FromInt(int32(min(l.Rank, 1<<20))))))
	for _, d := range []int64{0, -1, 1, -2, 2} {
		if a := fx.FromBits(uint32(at + d)); l.Rank > 0 && l.Scale > 0 && a > 0 && fx.Finite(a) && scale(l.Rank, a) == l.Scale {
			return a, nil
		}
	}
	return 0, fmt.Errorf("%w: no lora_alpha over a rank of %d gives the scale with the bits %08x", format.ErrFormat, l.Rank, l.Scale)
}

// WritePEFT returns the adapter_config.json of adapters: alpha stands for α of their
// scale, base names the model that they belong to. Equal input gives equal bytes.
func WritePEFT(base string, l decoder.LoRA, alpha float32) ([]byte, error) {
	c := peft{PeftType: "LORA", TaskType: "CAUSAL_LM", Base: base, R: l.Rank, Alpha: alpha, Bias: "none", InferenceMode: true}
	for _, m := range l.Targets {
		c.Targets = append(c.Targets, m+"_proj")
	}
	text, err := json.MarshalIndent(c, "", "  ")
	return append(text, '\n'), err
}

// ReadPEFT reads an adapter_config.json. Errors: format.ErrFormat, and
// format.ErrUnsupported naming a field that asks for something else than plain
// adapters. Spec: TNS-05.
func ReadPEFT(raw []byte) (decoder.LoRA, error) {
	l, err := readPEFT(raw)
	if err != nil {
		err = fmt.Errorf("%s: %w", AdapterConfig, err)
	}
	return l, err
}

func readPEFT(raw []byte) (decoder.LoRA, error) {
	var c asked
	if err := json.Unmarshal(raw, &c); err != nil {
		return decoder.LoRA{}, fmt.Errorf("%w: %w", format.ErrFormat, err)
	}
	for _, f := range []struct {
		name string
		bad  bool
	}{
		{"peft_type", c.PeftType != "LORA"}, {"bias", c.Bias != "none"}, {"fan_in_fan_out", c.FanInFanOut}, {"use_rslora", c.RSLoRA},
		{"use_dora", c.DoRA}, {"rank_pattern", len(c.Ranks) > 0}, {"alpha_pattern", len(c.Alphas) > 0}, {"modules_to_save", len(c.Saved) > 0},
		{"layers_to_transform", len(c.Layers) > 0 && string(c.Layers) != "null"},
	} {
		if f.bad {
			return decoder.LoRA{}, fmt.Errorf("%w: the field %s asks for something else than plain adapters", format.ErrUnsupported, f.name)
		}
	}
	var names, targets []string
	if err := json.Unmarshal(c.Targets, &names); err != nil {
		return decoder.LoRA{}, fmt.Errorf("%w: target_modules is no list of names", format.ErrUnsupported)
	}
	for _, n := range names {
		m, ok := strings.CutSuffix(n, "_proj")
		if !ok || !slices.Contains(decoder.Matrices(), m) || slices.Contains(targets, m) {
			return decoder.LoRA{}, fmt.Errorf("%w: target_modules names %.40q", format.ErrUnsupported, n)
		}
		targets = append(targets, m)
	}
	if c.R < 1 || c.R > decoder.MaxRank || !(c.Alpha > 0) || math.IsInf(float64(c.Alpha), 0) || len(targets) == 0 {
		return decoder.LoRA{}, fmt.Errorf("%w: r %d, lora_alpha %g, %d targets", format.ErrFormat, c.R, c.Alpha, len(targets))
	}
	return LoRA(c.R, c.Alpha, targets), nil
}

// checkAdapters wants pairs of float matrices of the rank, and nothing else; whether
// they fit a model is seen when they are added to it.
func (p *Package) checkAdapters() error {
	l, err := ReadPEFT(p.Adapters)
	if err != nil {
		return err
	}
	if len(p.Weights.Tensors) == 0 {
		return fmt.Errorf("%w: adapters without a tensor", format.ErrFormat)
	}
	for _, t := range p.Weights.Tensors {
		at := 0
		if strings.HasSuffix(t.Name, ".lora_B.weight") {
			at = 1
		} else if !strings.HasSuffix(t.Name, ".lora_A.weight") {
			return fmt.Errorf("%w: tensor %s is no adapter", format.ErrFormat, t.Name)
		}
		if len(t.Shape) != 2 || t.Shape[at] != l.Rank || !t.DType.IsFloat() {
			return fmt.Errorf("%w: tensor %s, %s %d, is no adapter of rank %d", format.ErrFormat, t.Name, t.DType, t.Shape, l.Rank)
		}
	}
	return nil
}
