// SPDX-License-Identifier: Apache-2.0

package tune

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/poa/decoder"
)

// SaveAdapters writes the adapters into a folder in the layout of PEFT, made if need
// be: alpha stands for α of the spec's scale, base names the model that they belong
// to. Errors: fs.ErrExist if the folder holds adapters, gpu.ErrArgs for a run without
// adapters, that of the step that failed. Spec: TNS-05.
func (t *Trainer) SaveAdapters(dir, base string, alpha float32) error {
	text, list, err := t.Adapters(base, alpha)
	if err != nil {
		return err
	}
	root, err := safetensors.Root(list)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, pack.AdapterWeights)); err == nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, pack.AdapterWeights), os.ErrExist)
	}
	if err := safetensors.WriteFile(filepath.Join(dir, pack.AdapterConfig), func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
		return err
	}
	return safetensors.Save(filepath.Join(dir, pack.AdapterWeights), safetensors.Meta{Program: "openledger finetune", Root: root}, list)
}

// Adapters are an adapter_config.json and the adapters by PEFT's names, for
// SaveAdapters and pack.Write; they are read from the device when they are written.
// Errors: gpu.ErrArgs for a run without adapters, that of the step that failed.
func (t *Trainer) Adapters(base string, alpha float32) (config []byte, list []safetensors.Source, err error) {
	lora := t.job.Spec.Net.LoRA
	switch {
	case t.broken != nil:
		return nil, nil, t.broken
	case lora.Rank == 0:
		return nil, nil, fmt.Errorf("%w: the run has no adapters", gpu.ErrArgs)
	}
	if config, err = pack.WritePEFT(base, lora, alpha); err != nil {
		return nil, nil, err
	}
	for _, a := range t.job.Spec.Net.Adapters() {
		list = append(list, safetensors.Source{Name: t.peftName(a.Name), DType: safetensors.F32, Shape: a.Shape, Write: func(w io.Writer) error {
			return t.read(t.own["param/"+a.Name], func(p []byte) error { _, err := w.Write(p); return err })
		}})
	}
	return config, list, nil
}

// peftName is the name of an adapter in PEFT's files.
func (t *Trainer) peftName(name string) string {
	matrix, which, _ := strings.Cut(name, ".lora_")
	for _, w := range t.m.Config.Arch.Tensors() {
		if w.Name == matrix {
			return "base_model.model." + strings.TrimSuffix(w.HF, ".weight") + ".lora_" + strings.ToUpper(which) + ".weight"
		}
	}
	return name
}

// Merge adds the adapters to the weights of the model, W + (α/r)·(B·A), so that it can
// be exported; the run is over then. Errors: gpu.ErrUnsupported for weights in fx/int8,
// that of the step that failed, those of the device. Spec: TNS-05.
func (t *Trainer) Merge() error {
	switch n := t.job.Spec.Net; {
	case t.broken != nil:
		return t.broken
	case n.Int8:
		return fmt.Errorf("%w: adapters are not merged into fx/int8; merge them into the model that it comes from", gpu.ErrUnsupported)
	}
	t.broken = errors.Join(gpu.ErrArgs, errors.New("the adapters are merged"))
	for _, m := range t.job.Spec.Net.LoRA.Targets {
		if err := t.merge(m); err != nil {
			return fmt.Errorf("merge %s: %w", m, err)
		}
	}
	return nil
}

// merge adds the adapters of one matrix in every layer.
func (t *Trainer) merge(m string) error {
	g, err := t.job.Spec.Net.Merge(m)
	if err != nil {
		return err
	}
	p, err := gpu.NewPlan(t.dev, g)
	if err != nil {
		return err
	}
	for l := range t.job.Spec.Net.Arch.Layers {
		name := decoder.Layer(l) + m
		w := t.m.Buffer(name)
		if err := p.Run([]gpu.Buffer{w, t.own["param/"+name+".lora_a"], t.own["param/"+name+".lora_b"]}, []gpu.Buffer{w}); err != nil {
			return errors.Join(err, p.Close())
		}
	}
	return errors.Join(t.dev.Sync(), p.Close())
}
