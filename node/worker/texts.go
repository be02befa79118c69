// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/ask"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/infer"
	"github.com/openledger/openledger/gpu/learn"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/gpu/tune"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
)

// language reports whether it is a language model or adapters of one.
func (m *Model) language() bool { return m.Record.AttrMethod == tx.NoAttribution }

// open opens the package of a language model.
func (m *Model) open() (*pack.Package, error) {
	return pack.New(bytes.NewReader(m.Blob), int64(len(m.Blob)))
}

// executeLearn trains a language model on texts. Spec: TNS-04, TNS-05.
func executeLearn(in Inputs, o Options) (Output, error) {
	j := learn.Job{Task: in.ID, Operator: in.Operator, Spec: *in.Spec.Learn}
	for _, d := range byContent(in.Datasets) {
		if d.Text == nil {
			return Output{}, fmt.Errorf("%w: dataset %v is a table", ErrTask, d.ID)
		}
		j.Texts = append(j.Texts, string(d.Text.Bytes))
	}
	if in.Model != nil {
		var err error
		if j.Base, err = in.Model.open(); err != nil {
			return Output{}, fmt.Errorf("%w: base: %w", ErrTask, err)
		}
	}
	r, err := learn.New(j)
	if err != nil {
		return Output{}, fmt.Errorf("%w: %w", ErrTask, err)
	}
	alone := j.Spec.Cost()/j.Spec.Steps < aloneStep
	return onDevices(o, processor(o, alone, func(d, watch gpu.Device, stop func() bool) (Output, error) {
		hooks := tune.Options{File: o.File, Stop: stop}
		if o.Progress != nil {
			hooks.Segment = func(p train.Progress) { o.Progress(p.Segment, p.Segments) }
		}
		res, err := r.On(d, watch, hooks)
		if err != nil {
			return Output{}, err
		}
		return Output{Verdict: task.Verdict{Root: res.Commitment.Root, OutputRoot: res.Root}, Segments: res.Commitment.Segments,
			Blob: res.Blob, Content: content.Sum(res.Blob), Leaves: res.Leaves}, nil
	}))
}

// executeAsk asks a model about rows. Spec: TASK-01.
func executeAsk(in Inputs, o Options) (Output, error) {
	j := ask.Job{Task: in.ID, Operator: in.Operator, Spec: *in.Spec.Ask}
	if in.Model == nil {
		return Output{}, fmt.Errorf("%w: no model", ErrTask)
	}
	for _, d := range byContent(in.Datasets) {
		if d.Text != nil {
			j.Lines = append(j.Lines, d.Text.Rows...)
		} else {
			j.Tables = append(j.Tables, d.Table)
		}
	}
	if err := in.models(&j); err != nil {
		return Output{}, fmt.Errorf("%w: %w", ErrTask, err)
	}
	if !j.Spec.Text() {
		o.Cards = nil // a processor is fast enough
	}
	return onDevices(o, processor(o, in.perToken() < aloneToken, func(d, watch gpu.Device, stop func() bool) (Output, error) {
		res, err := ask.Run(j, d, ask.Options{File: o.File, Stop: stop, Progress: o.Progress, Watch: watch})
		if err != nil {
			return Output{}, err
		}
		return Output{Verdict: task.Verdict{Root: res.Commitment.Root, OutputRoot: res.Root}, Segments: res.Commitment.Segments,
			Blob: res.Blob, Content: content.Sum(res.Blob), Leaves: res.Leaves}, nil
	}))
}

// perToken is about how many multiply-adds a token of an answer takes: one for each
// weight, of which there are four bytes or less.
func (in Inputs) perToken() uint64 {
	if in.Base != nil {
		return in.Base.Record.Bytes / 4
	}
	return in.Model.Record.Bytes / 4
}

// models opens what is asked.
func (in Inputs) models(j *ask.Job) (err error) {
	switch {
	case !in.Model.language():
		j.Table, err = infer.Load(in.Model.Blob, in.Model.Record.WeightsRoot)
	case in.Base == nil:
		j.Model, err = in.Model.open()
	default:
		var e error
		j.Adapters, err = in.Model.open()
		j.Model, e = in.Base.open()
		err = errors.Join(err, e)
	}
	return err
}

// byContent orders data by content, not by object id: equal data then gives equal
// results on every ledger.
func byContent(list []Dataset) []Dataset {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b Dataset) int { return slices.Compare(a.Record.Content[:], b.Record.Content[:]) })
	return sorted
}
