// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/poa/atom"
	"github.com/openledger/openledger/poa/checkpoint"
	"github.com/openledger/openledger/poa/knn"
	"github.com/openledger/openledger/poa/payout"
)

// ErrTask reports a task that cannot be computed from its data.
var ErrTask = errors.New("task cannot be computed")

// Inputs determine the result of a task.
type Inputs struct {
	ID         tx.ID
	Spec       task.Spec
	Operator   keys.Address // of the commitment: a checker puts the worker's
	Datasets   []Dataset    // those of Spec, in any order
	Validation Dataset      // of training and attribution
	Model      *Model       // the base of learning, or what is asked; nil for none
	Base       *Model       // if Model is adapters
}

// Options are hooks that change no bit, except Lie.
type Options struct {
	Progress func(done, total uint64)
	Stop     func() bool
	// File is where the state is saved after each segment, and where a run that was
	// broken off goes on from; "" saves nothing. The caller deletes it.
	File string
	// Cards lends a card, nil if there is none now; no function, none.
	Cards func() Card
	// Memory bounds what the processor takes for language models, in bytes; 0 is what
	// the machine has free.
	Memory uint64
	// Lie falsifies the middle segment, as a cheating operator would.
	Lie bool
}

// Output is a computed task.
type Output struct {
	Verdict  task.Verdict
	Segments uint64
	Blob     []byte
	Content  content.ID
	Leaves   []checkpoint.Leaf
	Result   *payout.Result // of an attribution
}

// Execute computes a task. Errors: ErrTask, train.ErrStopped, those of the file system.
func Execute(in Inputs, o Options) (Output, error) {
	var out Output
	err := in.check()
	if err != nil {
		return out, err
	}
	switch in.Spec.Kind {
	case task.Train:
		out, err = executeTrain(in, o)
	case task.Attribute:
		out, err = executeAttribute(in, o)
	case task.Learn:
		out, err = executeLearn(in, o)
	case task.Evaluate, task.Answer:
		out, err = executeAsk(in, o)
	default:
		err = fmt.Errorf("%w: kind %v", ErrTask, in.Spec.Kind)
	}
	if err != nil {
		return Output{}, err
	}
	if out.Segments != in.Spec.Segments {
		return Output{}, fmt.Errorf("%w: %d segments, the task has %d", ErrTask, out.Segments, in.Spec.Segments)
	}
	if o.Lie {
		falsify(&out)
	}
	return out, nil
}

// check wants tables where a program reads rows of tables.
func (in Inputs) check() error {
	if in.Spec.Kind != task.Train && in.Spec.Kind != task.Attribute {
		return nil
	}
	for _, d := range append(slices.Clone(in.Datasets), in.Validation) {
		if d.Table == nil {
			return fmt.Errorf("%w: dataset %v is no table", ErrTask, d.ID)
		}
	}
	return nil
}

// falsify changes what one segment claims to have ended in.
func falsify(out *Output) {
	leaves := slices.Clone(out.Leaves)
	i := len(leaves) / 2
	leaves[i].Out[0] ^= 1
	if i+1 < len(leaves) {
		leaves[i+1].In = leaves[i].Out
	}
	out.Leaves, out.Verdict.Root = leaves, checkpoint.Root(leaves)
}

func executeTrain(in Inputs, o Options) (Output, error) {
	spec := *in.Spec.Train
	data, err := model.Load(model.ArchOf(spec), tables(in.Datasets)...)
	if err != nil {
		return Output{}, fmt.Errorf("%w: %w", ErrTask, err)
	}
	job := train.Job{Task: in.ID, Operator: in.Operator, Spec: spec, Data: data}
	return onDevices(o, func(d gpu.Device, stop func() bool) (Output, error) {
		opt := train.Options{Stop: stop, Device: d, Watch: d != nil}
		if o.Progress != nil {
			opt.Progress = func(p train.Progress) { o.Progress(p.Segment, p.Segments) }
		}
		if o.File != "" {
			opt.Save = func(b []byte) error { return write(o.File, b) }
			if opt.Resume, err = os.ReadFile(o.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return Output{}, err
			}
		}
		r, err := train.Run(job, opt)
		if errors.Is(err, train.ErrSaved) { // a damaged or foreign saved state: start anew
			opt.Resume = nil
			r, err = train.Run(job, opt)
		}
		if err != nil {
			return Output{}, err
		}
		return Output{Verdict: task.Verdict{Root: r.Commitment.Root, OutputRoot: r.WeightsRoot}, Segments: r.Commitment.Segments,
			Blob: r.Blob, Content: r.Output, Leaves: r.Leaves}, nil
	})
}

// tables are the data in the order of byContent.
func tables(list []Dataset) (out []*table.Table) {
	for _, d := range byContent(list) {
		out = append(out, d.Table)
	}
	return out
}

// Plan prepares an attribution over datasets: who owns which rows, in which
// order they came, and which are copies.
func Plan(datasets []Dataset, validation Dataset, p knn.Params, tau, rowsPerLeaf uint64) (*payout.Plan, error) {
	in := payout.Input{Params: p, Tau: tau, RowsPerLeaf: rowsPerLeaf}
	for _, d := range datasets {
		in.Owners = append(in.Owners, d.Record.Owner)
	}
	slices.SortFunc(in.Owners, keys.Address.Compare)
	in.Owners = slices.Compact(in.Owners)
	for _, d := range datasets {
		rows, err := atomRows(d)
		if err != nil {
			return nil, err
		}
		owner, _ := slices.BinarySearchFunc(in.Owners, d.Record.Owner, keys.Address.Compare)
		for i := range rows {
			rows[i].Owner = uint32(owner)
		}
		in.Train = append(in.Train, rows...)
	}
	var err error
	if in.Valid, err = atomRows(validation); err != nil {
		return nil, err
	}
	plan, err := payout.NewPlan(in)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTask, err)
	}
	return plan, nil
}

// atomRows reads a dataset's rows with their priority (ATM-02): the block and
// transaction that registered the dataset, then the row's place in the file.
func atomRows(d Dataset) ([]atom.Row, error) {
	cells, ok := d.Table.Uint8()
	if !ok {
		return nil, fmt.Errorf("%w: %w", ErrTask, d.Table.NotUint8())
	}
	n := d.Table.Features
	out := make([]atom.Row, d.Table.Rows)
	for i := range out {
		label := d.Table.Labels[i]
		if label < 0 || label > 255 {
			return nil, fmt.Errorf("%w: %w", ErrTask, d.Table.Errorf(i, n, "label %d is not in 0..255", label))
		}
		out[i] = atom.Row{Features: cells[i*n : (i+1)*n], Label: uint8(label),
			At: atom.Priority{Height: d.Record.Height, Tx: d.Record.TxIndex, Row: uint64(i)}}
	}
	return out, nil
}

// Classes is one more than the largest label of the datasets.
func Classes(datasets []Dataset) uint64 {
	var top int64
	for _, d := range datasets {
		for _, y := range d.Table.Labels {
			top = max(top, y)
		}
	}
	return uint64(top) + 1
}

func executeAttribute(in Inputs, o Options) (Output, error) {
	a := in.Spec.Attribute
	plan, err := Plan(in.Datasets, in.Validation, knn.Params{K: a.K, Soft: a.Soft, Classes: Classes(in.Datasets)}, a.Tau, a.Rows)
	if err != nil {
		return Output{}, err
	}
	b := checkpoint.NewBuilder(in.ID, in.Operator, [32]byte{})
	var leaves []knn.Leaf
	for i := range plan.Leaves() {
		if o.Stop != nil && o.Stop() {
			return Output{}, train.ErrStopped
		}
		l, err := plan.Leaf(i)
		if err != nil {
			return Output{}, fmt.Errorf("%w: %w", ErrTask, err)
		}
		leaves = append(leaves, l)
		digest := l.Digest()
		if err := b.Add(digest, digest); err != nil {
			return Output{}, fmt.Errorf("%w: %w", ErrTask, err)
		}
		if o.Progress != nil {
			o.Progress(i+1, plan.Leaves())
		}
	}
	r, err := plan.Reduce(sequence(leaves))
	if err != nil {
		return Output{}, fmt.Errorf("%w: %w", ErrTask, err)
	}
	blob := r.Encode()
	return Output{Verdict: task.Verdict{Root: b.Commitment().Root, OutputRoot: r.Root()}, Segments: b.Len(), Blob: blob,
		Content: content.Sum(blob), Leaves: b.Leaves(), Result: &r}, nil
}

func sequence(list []knn.Leaf) func() (knn.Leaf, bool) {
	return func() (knn.Leaf, bool) {
		if len(list) == 0 {
			return knn.Leaf{}, false
		}
		l := list[0]
		list = list[1:]
		return l, true
	}
}
