// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/ask"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/infer"
	"github.com/openledger/openledger/gpu/learn"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// Dataset is a dataset's record with its verified rows: a table or a text.
type Dataset struct {
	ID     tx.ID
	Record state.Dataset
	Table  *table.Table
	Text   *publish.Text
}

// Model is a model's record with its verified content: weights of a table's model, or
// a package.
type Model struct {
	Record state.Model
	Blob   []byte
}

// source is where records and contents come from.
type source interface {
	dataset(ctx context.Context, id tx.ID) (state.Dataset, error)
	model(ctx context.Context, id tx.ID) (state.Model, error)
	// content returns bytes that the caller checks against their id.
	content(ctx context.Context, object tx.ID, id content.ID, size uint64) ([]byte, error)
}

// local reads through a node's services.
type local struct {
	s Services
	v state.View
}

func (l local) dataset(_ context.Context, id tx.ID) (state.Dataset, error) {
	return state.GetDataset(l.v, id)
}

func (l local) model(_ context.Context, id tx.ID) (state.Model, error) {
	return state.GetModel(l.v, id)
}

func (l local) content(ctx context.Context, object tx.ID, id content.ID, size uint64) ([]byte, error) {
	return l.s.Content(ctx, object, id, size)
}

// remote reads through a node's RPC.
type remote struct{ c *client.Client }

func (r remote) dataset(ctx context.Context, id tx.ID) (state.Dataset, error) {
	o, err := r.c.DatasetGet(ctx, api.IDParams{ID: id})
	return o.Value, err
}

func (r remote) model(ctx context.Context, id tx.ID) (state.Model, error) {
	o, err := r.c.ModelGet(ctx, api.IDParams{ID: id})
	return o.Value, err
}

func (r remote) content(ctx context.Context, _ tx.ID, id content.ID, size uint64) ([]byte, error) {
	if size <= oneAnswer {
		return r.c.Blob(ctx, id.String())
	}
	dir, err := os.MkdirTemp("", "openledger")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "content")
	if err := r.c.Download(ctx, id, size, path, nil); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// oneAnswer is what a node's RPC gives in one piece.
const oneAnswer = 32 << 20

// Load fetches and verifies what determines a task: datasets, and the models that it
// is about. Errors: ErrTask for content that is not what the ledger says,
// gpu.ErrMemory for more than this machine has free, those of the node.
func Load(ctx context.Context, s Services, id tx.ID, spec task.Spec) (Inputs, error) {
	v, err := s.View()
	if err != nil {
		return Inputs{}, err
	}
	return load(ctx, local{s, v}, id, spec)
}

// LoadRemote is Load through a node's RPC, for who runs no node.
func LoadRemote(ctx context.Context, c *client.Client, id tx.ID, spec task.Spec) (Inputs, error) {
	return load(ctx, remote{c}, id, spec)
}

// LoadModel fetches and verifies the datasets of a served model.
func LoadModel(ctx context.Context, s Services, m state.Model) (list []Dataset, validation Dataset, err error) {
	in, err := Load(ctx, s, m.Task, task.Spec{Datasets: m.Datasets, Validation: m.Validation})
	return in.Datasets, in.Validation, err
}

func load(ctx context.Context, from source, id tx.ID, spec task.Spec) (Inputs, error) {
	l := loader{ctx: ctx, from: from, left: cpu.Available()}
	in := Inputs{ID: id, Spec: spec}
	for _, d := range spec.Datasets {
		in.Datasets = append(in.Datasets, l.dataset(d))
	}
	if spec.Validation != (tx.ID{}) {
		in.Validation = l.dataset(spec.Validation)
	}
	if spec.Model != (tx.ID{}) {
		in.Model = l.model(spec.Model)
	}
	if in.Model != nil && in.Model.Record.Base != (tx.ID{}) {
		in.Base = l.model(in.Model.Record.Base)
	}
	return in, l.err
}

// loader stops at the first error.
type loader struct {
	ctx  context.Context
	from source
	left uint64 // bytes that the machine has free
	err  error
}

// content fetches unless it is too much.
func (l *loader) content(what string, object tx.ID, id content.ID, size uint64) []byte {
	if l.err == nil && size > l.left {
		l.err = fmt.Errorf("%w: %s %v has %d MiB, this machine has %d MiB free", gpu.ErrMemory, what, object, size>>20, l.left>>20)
	}
	if l.err != nil {
		return nil
	}
	l.left -= size
	var b []byte
	if b, l.err = l.from.content(l.ctx, object, id, size); l.err != nil {
		l.err = fmt.Errorf("%s %v: %w", what, object, l.err)
	}
	return b
}

func (l *loader) dataset(id tx.ID) Dataset {
	d := Dataset{ID: id}
	if l.err == nil {
		d.Record, l.err = l.from.dataset(l.ctx, id)
	}
	b := l.content("dataset", id, d.Record.Content, d.Record.Bytes)
	if l.err != nil {
		return d
	}
	data, err := publish.LoadData(d.Record, b)
	if err != nil {
		l.err = fmt.Errorf("%w: dataset %v: %w", ErrTask, id, err)
	}
	d.Table, d.Text = data.Table, data.Text
	return d
}

func (l *loader) model(id tx.ID) *Model {
	m := &Model{}
	if l.err == nil {
		m.Record, l.err = l.from.model(l.ctx, id)
	}
	m.Blob = l.content("model", id, m.Record.Weights, m.Record.Bytes)
	if l.err == nil && !m.Record.Weights.Matches(m.Blob) {
		l.err = fmt.Errorf("%w: model %v: content does not match %v", ErrTask, id, m.Record.Weights)
	}
	if l.err == nil {
		l.err = m.check(id)
	}
	return m
}

// check compares weights with the root on the ledger.
func (m *Model) check(id tx.ID) error {
	var err error
	if m.language() {
		p, e := m.open()
		if err = e; err == nil {
			var root [32]byte
			if root, err = p.Root(); err == nil && root != m.Record.WeightsRoot {
				err = fmt.Errorf("%w: %x, want %x", infer.ErrRoot, root[:8], m.Record.WeightsRoot[:8])
			}
		}
	} else {
		_, err = infer.Load(m.Blob, m.Record.WeightsRoot)
	}
	if err != nil {
		err = fmt.Errorf("%w: model %v: %w", ErrTask, id, err)
	}
	return err
}

// Fits reports whether a task fits its models, and whether this machine's processor
// can compute it in so many bytes of memory: a card that does may be lost, and then
// the processor has to. It is asked before a task is claimed. Errors:
// gpu.ErrMemory in figures, ErrTask.
func Fits(in Inputs, memory uint64) error {
	var err error
	switch {
	case in.Spec.Learn != nil:
		var texts uint64
		for _, d := range in.Datasets {
			texts += d.Record.Bytes
		}
		var base *pack.Package
		if in.Model != nil {
			base, err = in.Model.open()
		}
		if err == nil {
			err = learn.Fits(*in.Spec.Learn, base, texts, memory)
		}
	case in.Spec.Ask != nil && in.Spec.Ask.Text():
		err = in.askFits(memory)
	}
	if err != nil && !errors.Is(err, gpu.ErrMemory) {
		err = fmt.Errorf("%w: %w", ErrTask, err)
	}
	return err
}

func (in Inputs) askFits(memory uint64) error {
	whole := in.Model
	if in.Base != nil {
		whole = in.Base
	}
	p, err := whole.open()
	if err != nil {
		return err
	}
	f, err := p.Model()
	if err != nil {
		return err
	}
	return ask.Fits(*in.Spec.Ask, f.Config.Arch, in.Base != nil, memory)
}
