// SPDX-License-Identifier: Apache-2.0

package tune

import (
	"errors"
	"fmt"
	"slices"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/format"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/internal/fx"
)

// Apply adds the adapters of a folder in the layout of PEFT to the weights of m, W +
// (α/r)·(B·A). Errors: as ApplyPackage, and those of the file system. Spec: TNS-05.
func Apply(m *lm.Model, dir string) error {
	if m.Net.Int8 {
		return errInt8
	}
	p, err := pack.Folder(dir)
	if err != nil {
		return err
	}
	return errors.Join(ApplyPackage(m, p), p.Close())
}

var errInt8 = fmt.Errorf("%w: adapters are not added to fx/int8; write the merged model (finetune --merged) and load that", gpu.ErrUnsupported)

// ApplyPackage is Apply for open adapters. After an error of the device m is spoilt.
// Errors: format.ErrFormat, format.ErrUnsupported naming what is not supported,
// gpu.ErrUnsupported for a model in fx/int8, those of reading and of the device.
// Spec: TNS-05.
func ApplyPackage(m *lm.Model, p *pack.Package) error {
	if m.Net.Int8 {
		return errInt8
	}
	lora, err := pack.ReadPEFT(p.Adapters)
	if err != nil {
		return err
	}
	t := &Trainer{m: m, dev: m.Device(), own: map[string]gpu.Buffer{}}
	t.job.Spec.Net = m.Net
	t.job.Spec.Net.LoRA = lora
	if err := t.load(p.Weights); err != nil {
		return errors.Join(err, t.Close())
	}
	return errors.Join(t.Merge(), t.Close())
}

// load brings the adapters of a file onto the device, all of them and nothing else.
func (t *Trainer) load(f *safetensors.File) error {
	list := t.job.Spec.Net.Adapters()
	if len(f.Tensors) != len(list) {
		return fmt.Errorf("%w: %s has %d tensors, the model takes %d", format.ErrFormat, pack.AdapterWeights, len(f.Tensors), len(list))
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
