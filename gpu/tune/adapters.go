// SPDX-License-Identifier: Apache-2.0

package tune

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/format"
	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/decoder"
)

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

// Apply adds the adapters of a folder in the layout of PEFT to the weights of m, W +
// (α/r)·(B·A). After an error of the device m is spoilt. Errors: format.ErrFormat,
// format.ErrUnsupported naming what is not supported, gpu.ErrUnsupported for a model in
// fx/int8, those of reading and of the device. Spec: TNS-05.
func Apply(m *lm.Model, dir string) error {
	if m.Net.Int8 {
		return fmt.Errorf("%w: adapters are not added to fx/int8; write the merged model (finetune --merged) and load that", gpu.ErrUnsupported)
	}
	raw, err := safetensors.ReadSmall(filepath.Join(dir, AdapterConfig), hf.MaxConfig)
	if err != nil {
		return err
	}
	lora, err := readPEFT(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", AdapterConfig, err)
	}
	f, err := safetensors.Open(filepath.Join(dir, AdapterWeights))
	if err != nil {
		return err
	}
	defer f.Close()
	t := &Trainer{m: m, dev: m.Device(), own: map[string]gpu.Buffer{}}
	t.job.Spec.Net = m.Net
	t.job.Spec.Net.LoRA = lora
	if err := t.load(f); err != nil {
		return errors.Join(err, t.Close())
	}
	return errors.Join(t.Merge(), t.Close())
}

// readPEFT reads the rank, the scale and the targets.
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

// load brings the adapters of a file onto the device, all of them and nothing else.
func (t *Trainer) load(f *safetensors.File) error {
	list := t.job.Spec.Net.Adapters()
	if len(f.Tensors) != len(list) {
		return fmt.Errorf("%w: %s has %d tensors, the model takes %d", format.ErrFormat, AdapterWeights, len(f.Tensors), len(list))
	}
	for _, a := range list {
		at, ok := f.Lookup(t.peftName(a.Name))
		if !ok || !slices.Equal(at.Shape, a.Shape) || !at.DType.IsFloat() {
			return fmt.Errorf("%w: tensor %s is not as the model and r want it, %d", format.ErrFormat, t.peftName(a.Name), a.Shape)
		}
		x := make([]float32, a.Len())
		if err := f.Floats(at, 0, x); err != nil {
			return err
		}
		b, err := t.alloc("param/"+a.Name, fx.F32, a.Len())
		if err == nil {
			err = t.dev.Upload(b, fx.AppendBits(nil, x))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
