// SPDX-License-Identifier: Apache-2.0

package learn

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/format/hf"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/format/safetensors"
	"github.com/openledger/openledger/gpu/format/tokenizer"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/gpu/tune"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/poa/checkpoint"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// vocabularyBytes is how much of the texts a new vocabulary is learned from.
const vocabularyBytes = 1 << 20

// theta is the base of RoPE of a model from nothing.
const theta = 10_000

// Job is everything that determines a run.
type Job struct {
	// Task and Operator enter the leaves. Zero for a run of one's own.
	Task     [32]byte
	Operator keys.Address
	Spec     decoder.Learn
	// Texts are UTF-8, in the order of their content ids.
	Texts []string
	// Base is the model that is trained on, nil for one from nothing.
	Base *pack.Package
}

// Run is a job whose texts are tokenized. It may be run several times, one after the
// other.
type Run struct {
	job    Job
	config hf.Config
	files  hf.Files
	folder *hf.Folder // of the base
	tune   tune.Job
	base   string  // name of the base in adapters
	alpha  float32 // of adapters
}

// Result is a finished run.
type Result struct {
	Commitment checkpoint.Commitment
	Leaves     []checkpoint.Leaf
	Loss       float32  // mean cross-entropy of the last step, 0 if it was in an earlier run
	Root       [32]byte // of the package: OutputRoot on the ledger
	Blob       []byte   // the package
}

// Fits reports whether a description fits its base, nil for none, and whether a run
// over texts of so many bytes in all fits into memory bytes, with the smallest
// micro-batches if need be. Cost: that of opening the base and of making graphs.
// Errors: those of New that do not depend on texts, gpu.ErrMemory in figures.
func Fits(spec decoder.Learn, base *pack.Package, texts, memory uint64) error {
	if err := spec.Check(); err != nil {
		return err
	}
	if _, err := open(spec, base); err != nil {
		return err
	}
	// Texts as ids, here and on the device, and the package beside the model.
	beside := 12*texts + spec.Net.Bytes()
	least := uint64(0)
	for _, micro := range halves(spec) {
		need, err := memoryOf(spec.Step(1), micro)
		if err != nil {
			break // a graph with too many nodes
		}
		if need+beside <= memory {
			return nil
		}
		least = need + beside
	}
	return fmt.Errorf("%w: training this model takes %d MiB, this machine has %d MiB free", gpu.ErrMemory, least>>20, memory>>20)
}

func memoryOf(step decoder.Train, micro uint64) (uint64, error) {
	step.Micro = micro
	return tune.Memory(step)
}

// maxParts bounds the layers of all micro-batches of a step together: a graph has
// about a hundred nodes for each, and program.MaxValues in all.
const maxParts = 1 << 10

// halves are the sizes of micro-batches that are tried: the step, a half of it, and
// so on as long as it divides and the graph does not become too long.
func halves(s decoder.Learn) (list []uint64) {
	least := max(1, s.Seqs*s.Net.Arch.Layers/maxParts)
	for m := s.Seqs; m >= least; m /= 2 {
		if list = append(list, m); m%2 != 0 {
			break
		}
	}
	if list[len(list)-1] != 1 && least == 1 {
		list = append(list, 1)
	}
	return list
}

// New checks a job and tokenizes its texts; a vocabulary is learned from the first
// MiB of them if there is no base. Errors: program.ErrSpec, train.ErrData,
// format.ErrFormat and others of the base, hf.ErrArch. Spec: TNS-03, TNS-04.
func New(j Job) (*Run, error) {
	if err := j.Spec.Check(); err != nil {
		return nil, err
	}
	if err := fx.CheckMachine(); err != nil {
		return nil, err
	}
	f, err := open(j.Spec, j.Base)
	if err != nil {
		return nil, err
	}
	r := &Run{job: j, folder: f}
	begin := r.nothing
	if f != nil {
		begin = r.onBase
	}
	tok, err := begin()
	if err != nil {
		return nil, err
	}
	var ids []uint32
	for i, text := range j.Texts {
		list, err := tok.Encode(text, true)
		if err != nil {
			return nil, fmt.Errorf("%w: text %d: %w", train.ErrData, i, err)
		}
		ids = append(ids, list...)
	}
	data, records, err := tune.Records(ids, j.Spec.Tokens)
	if err != nil {
		return nil, err
	}
	s := j.Spec
	r.tune = tune.Job{Task: j.Task, Operator: j.Operator, Spec: s.Step(records), Data: data,
		Rates: tune.Linear(fx.FromBits(s.Rate), s.Warm, s.Steps), SegmentSteps: s.StepsPerSegment}
	return r, r.tune.Check()
}

// open opens the base and compares it with the description, and looks for an α of
// its adapters.
func open(s decoder.Learn, base *pack.Package) (*hf.Folder, error) {
	lora := s.Net.LoRA.Rank > 0
	switch {
	case base == nil && lora:
		return nil, fmt.Errorf("%w: adapters need a base", program.ErrSpec)
	case base == nil && s.Net.Arch.Vocab < tokenizer.LeastVocab:
		return nil, fmt.Errorf("%w: a vocabulary has %d tokens at least, this model has room for %d", program.ErrSpec, tokenizer.LeastVocab, s.Net.Arch.Vocab)
	case base == nil:
		_, err := hf.WriteConfig(ConfigOf(s.Net.Arch))
		return nil, err
	}
	f, err := base.Model()
	if err != nil {
		return nil, err
	}
	if net := lm.NetOf(f.Config.Arch, s.Tokens); net.Arch != s.Net.Arch {
		return nil, fmt.Errorf("%w: the base is another architecture than the task says", program.ErrSpec)
	}
	if lora {
		_, err = pack.Alpha(s.Net.LoRA)
	}
	return f, err
}

// ConfigOf is the config of a model from nothing: its texts begin with token 0 and
// end with token 1, as tokenizer.Learn has it.
func ConfigOf(a decoder.Arch) hf.Config {
	return hf.Config{BOS: []uint32{0}, EOS: []uint32{1}, Arch: hf.Arch{Layers: uint32(a.Layers), Hidden: uint32(a.Hidden), Inner: uint32(a.Inner),
		Heads: uint32(a.Heads), KVHeads: uint32(a.KVHeads), HeadDim: uint32(a.HeadDim), Vocab: uint32(a.Vocab), Positions: uint32(a.Positions),
		EpsBits: a.Eps, Tied: a.Tied, BiasQKV: a.BiasQKV, BiasOut: a.BiasOut, BiasMLP: a.BiasMLP, Rope: hf.Rope{ThetaBits: fx.Bits(theta)}}}
}

// Vocabulary is a tokenizer.json of at most size tokens, learned from the first MiB of
// the texts. Spec: TNS-03.
func Vocabulary(texts []string, size int) []byte {
	var text strings.Builder
	for _, t := range texts {
		text.WriteString(t[:min(len(t), vocabularyBytes-text.Len())])
	}
	return tokenizer.Learn(text.String(), size)
}

// nothing makes a vocabulary and a config for a model from nothing.
func (r *Run) nothing() (*tokenizer.Tokenizer, error) {
	a := r.job.Spec.Net.Arch
	r.files.Tokenizer = Vocabulary(r.job.Texts, int(a.Vocab))
	tok, err := tokenizer.Parse(r.files.Tokenizer)
	if err != nil {
		return nil, err
	}
	r.config = ConfigOf(a)
	r.files.Config, err = hf.WriteConfig(r.config)
	return tok, err
}

// onBase takes the vocabulary of the base, and its name for adapters.
func (r *Run) onBase() (*tokenizer.Tokenizer, error) {
	s := r.job.Spec
	var err error
	r.config, r.files = r.folder.Config, r.folder.Files
	if s.Net.LoRA.Rank == 0 {
		r.files.Config, err = hf.WriteConfig(r.config)
		return r.folder.Tokenizer, err
	}
	root, err := r.job.Base.Root()
	if err != nil {
		return nil, err
	}
	r.base = hex.EncodeToString(root[:])
	r.alpha, err = pack.Alpha(s.Net.LoRA)
	return r.folder.Tokenizer, err
}

// On runs the job on a device, with the largest micro-batches that fit, and gives the
// device its memory back. A state in o.File that is damaged or of another job is
// replaced. Where watch is a device, it computes the last step of each segment again
// (tune.Options.Watch). Errors: gpu.ErrMemory, gpu.ErrWrong, train.ErrStopped,
// train.ErrDiverged, those of the device, of reading the base and of the file system.
// Spec: GPU-08.
func (r *Run) On(d, watch gpu.Device, o tune.Options) (*Result, error) {
	res, err := r.watched(d, watch, o)
	if errors.Is(err, train.ErrSaved) {
		if err := os.Remove(o.File); err != nil {
			return nil, err
		}
		res, err = r.watched(d, watch, o)
	}
	return res, err
}

func (r *Run) watched(d, watch gpu.Device, o tune.Options) (res *Result, err error) {
	if watch == nil {
		return r.on(d, o)
	}
	err = r.with(watch, func(_ *lm.Model, t *tune.Trainer) error {
		o.Watch = t
		res, err = r.on(d, o)
		return err
	})
	return res, err
}

func (r *Run) on(d gpu.Device, o tune.Options) (res *Result, err error) {
	err = r.with(d, func(m *lm.Model, t *tune.Trainer) error {
		res, err = r.finish(t, m, o)
		return err
	})
	return res, err
}

// with brings the job onto a device, calls f, and gives the device its memory back.
func (r *Run) with(d gpu.Device, f func(*lm.Model, *tune.Trainer) error) error {
	m, err := r.load(d)
	if err != nil {
		return err
	}
	t, err := r.trainer(m)
	if err != nil {
		return errors.Join(err, m.Close())
	}
	err = f(m, t)
	if e := errors.Join(t.Close(), m.Close()); err == nil {
		err = e
	}
	return err
}

func (r *Run) load(d gpu.Device) (*lm.Model, error) {
	s := r.job.Spec
	if r.folder != nil {
		return lm.Load(d, r.folder, lm.Options{Context: s.Tokens, Int8: s.Net.Int8})
	}
	return lm.Init(d, r.config, s.Seed, lm.Options{})
}

// trainer takes the largest micro-batches that fit.
func (r *Run) trainer(m *lm.Model) (*tune.Trainer, error) {
	j, first := r.tune, error(nil)
	for _, j.Spec.Micro = range halves(r.job.Spec) {
		need, err := tune.Memory(j.Spec)
		if err == nil && need > m.Device().Info().Memory {
			err = fmt.Errorf("%w: a step with %d records at once takes %d MiB, the device has %d MiB", gpu.ErrMemory, j.Spec.Micro, need>>20, m.Device().Info().Memory>>20)
		}
		var t *tune.Trainer
		if err == nil {
			if t, err = tune.New(m, j); err == nil {
				return t, nil
			}
		}
		if first == nil {
			first = err
		}
		if !errors.Is(err, gpu.ErrMemory) {
			break
		}
	}
	return nil, first
}

// finish runs what is left and packs it.
func (r *Run) finish(t *tune.Trainer, m *lm.Model, o tune.Options) (*Result, error) {
	res, err := t.Run(o)
	if err != nil {
		return nil, err
	}
	var files pack.Files
	var list []safetensors.Source
	if r.job.Spec.Net.LoRA.Rank > 0 {
		files.Adapters, list, err = t.Adapters(r.base, r.alpha)
	} else {
		files.Files = r.files
		list, err = m.Sources()
	}
	if err != nil {
		return nil, err
	}
	out := &Result{Commitment: res.Commitment, Leaves: res.Leaves, Loss: res.Loss}
	var b bytes.Buffer
	if out.Root, err = pack.Write(&b, files, list); err != nil {
		return nil, err
	}
	out.Blob = b.Bytes()
	return out, nil
}
