// SPDX-License-Identifier: Apache-2.0

package ask

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/gpu/tune"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/poa/decoder"
)

// texts asks a language model about lines.
type texts struct {
	j       Job
	stop    func() bool
	folder  *hf.Folder
	m       *lm.Model
	context uint64
	session *lm.Session // of answers
	batch   batch       // of evaluations
}

func newTexts(j Job, d gpu.Device, stop func() bool) (*texts, error) {
	f, err := j.Model.Model()
	if err != nil {
		return nil, err
	}
	m, err := load(d, f, j)
	if err != nil {
		return nil, err
	}
	t := &texts{j: j, stop: stop, folder: f, m: m, context: m.Net.Arch.Positions}
	t.batch = batch{m: m, most: batchRows(m.Net.Arch.Vocab)}
	if j.Spec.Max > 0 {
		if t.session, err = m.Session(t.context); err != nil {
			return nil, errors.Join(err, t.close())
		}
	}
	return t, nil
}

// load brings the model onto a device, with the adapters added. In fx/int8 they are
// added first and the sum is quantised.
func load(d gpu.Device, f *hf.Folder, j Job) (*lm.Model, error) {
	o := lm.Options{Context: j.Spec.Tokens, Int8: j.Spec.Int8 && j.Adapters == nil}
	m, err := lm.Load(d, f, o)
	if err != nil || j.Adapters == nil {
		return m, err
	}
	if err := tune.ApplyPackage(m, j.Adapters); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if !j.Spec.Int8 {
		return m, nil
	}
	var b bytes.Buffer
	list, err := m.Sources()
	if err == nil {
		_, err = pack.Write(&b, pack.Files{Files: f.Files}, list)
	}
	if err = errors.Join(err, m.Close()); err != nil {
		return nil, err
	}
	p, err := pack.New(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		return nil, err
	}
	if f, err = p.Model(); err != nil {
		return nil, err
	}
	o.Int8 = true
	return lm.Load(d, f, o)
}

// Fits reports whether a language model may be asked in so many bytes of memory, its
// weights in the package included. Errors: gpu.ErrMemory in figures, program.ErrSpec.
func Fits(spec decoder.Ask, a hf.Arch, adapters bool, memory uint64) error {
	n := lm.NetOf(a, spec.Tokens)
	full := n.Bytes()
	n.Int8 = spec.Int8
	need, err := n.Bytes(), error(nil)
	var work uint64
	if spec.Max > 0 {
		work, err = lm.SessionMemory(n, n.Arch.Positions)
	} else {
		work, err = lossMemory(n, bucket(n.Arch.Positions, n.Arch.Positions))
	}
	if err != nil {
		return err
	}
	need += work
	if spec.Int8 { // one matrix at a time stands beside its codes
		need += 4 * n.Arch.Vocab * n.Arch.Hidden
	}
	if adapters && spec.Int8 { // added in fx/1, then read again
		need = max(2*full, full+need)
	}
	if need > memory {
		return fmt.Errorf("%w: asking this model takes %d MiB, this machine has %d MiB free", gpu.ErrMemory, need>>20, memory>>20)
	}
	return nil
}

func (t *texts) rows(from, to uint64) ([]byte, error) {
	var out Results
	if t.j.Spec.Max == 0 {
		list, err := t.evaluate(t.j.Lines[from:to])
		out.Scores = list
		return out.Encode(), err
	}
	for i := from; i < to; i++ {
		if t.stop() {
			return nil, fmt.Errorf("%w at row %d", train.ErrStopped, i)
		}
		s, err := t.say(i)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		out.Said = append(out.Said, s)
	}
	return out.Encode(), nil
}

func (t *texts) tokens(line []byte) ([]uint32, error) {
	ids, err := t.folder.Tokenizer.Encode(string(line), true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", train.ErrData, err)
	}
	return ids, nil
}

// say continues line i with seed Seed + i. Spec: INF-02.
func (t *texts) say(i uint64) (Said, error) {
	ids, err := t.tokens(t.j.Lines[i])
	if err != nil {
		return Said{}, err
	}
	if uint64(len(ids)) >= t.context {
		return Said{Reason: string(lm.ReasonContext)}, nil
	}
	s, a := Said{}, t.j.Spec
	t.session.Truncate(0)
	why, err := t.session.Generate(lm.Request{Prompt: ids, Max: a.Max, Sampling: lm.Sampling{Temperature: fx.FromBits(a.Temperature),
		TopP: fx.FromBits(a.TopP), TopK: uint32(a.TopK), Seed: a.Seed + i}}, func(id uint32) error {
		if s.Tokens = append(s.Tokens, id); t.stop() {
			return train.ErrStopped
		}
		return nil
	})
	s.Reason = string(why)
	return s, err
}

// digest stands for models and lines. Cost: one pass over both.
func (t *texts) digest() ([32]byte, error) {
	root, err := t.j.Model.Root()
	if err != nil {
		return root, err
	}
	var adapters [32]byte
	if t.j.Adapters != nil {
		if adapters, err = t.j.Adapters.Root(); err != nil {
			return root, err
		}
	}
	h := content.NewHasher()
	for _, l := range t.j.Lines {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(l))))
		h.Write(l)
	}
	return keys.Sum(keys.DomainProgram, root, adapters, h.ID()), nil
}

func (t *texts) close() error {
	err := t.batch.close()
	if t.session != nil {
		err = errors.Join(err, t.session.Close())
	}
	return errors.Join(err, t.m.Close())
}
