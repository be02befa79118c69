// SPDX-License-Identifier: Apache-2.0

package tune

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/poa/checkpoint"
)

// Options are the hooks of a run; none changes a bit of the result.
type Options struct {
	// Step, if not nil, is called after each step with the number of steps done.
	Step func(done uint64, loss float32)
	// Segment, if not nil, is called after each segment, when its state is saved.
	Segment func(train.Progress)
	// Stop, if not nil, is asked before each step; true ends the run with
	// train.ErrStopped.
	Stop func() bool
	// Watch, if not nil, is a run of the same job on a device that is trusted: it
	// computes the last step of each segment again, before the segment counts.
	Watch *Trainer
	// File is where the state is saved after each segment, and where a run that was
	// broken off goes on from; "" saves nothing.
	File string
}

// Result is a finished run. The weights are on the device.
type Result struct {
	Commitment checkpoint.Commitment // root over the leaves, and their number
	Leaves     []checkpoint.Leaf
	StateRoot  [32]byte
	Loss       float32 // mean cross-entropy of the last step, 0 if it was in an earlier run
}

// Run computes what is left of the run. Errors: train.ErrStopped, train.ErrDiverged,
// train.ErrSaved, gpu.ErrWrong if Watch says so, those of the device and of the file
// system. Spec: CHK-01, TASK-01, GPU-08.
func (t *Trainer) Run(o Options) (*Result, error) {
	b, err := t.builder(o.File)
	if err != nil {
		return nil, err
	}
	root, err := t.Root()
	if err != nil {
		return nil, err
	}
	for b.Len() < t.job.Segments() {
		if err := t.segment(o); err != nil {
			return nil, err
		}
		if root, err = t.Root(); err != nil {
			return nil, err
		}
		if o.Watch != nil {
			if err := o.Watch.same(t, root); err != nil {
				return nil, err
			}
		}
		if err := b.Add(root, content.Sum(t.trace).Hash()); err != nil {
			return nil, err
		}
		if o.File != "" {
			if err := t.save(o.File, b, root); err != nil {
				return nil, fmt.Errorf("save the state: %w", err)
			}
		}
		if o.Segment != nil {
			o.Segment(train.Progress{Segment: b.Len(), Segments: t.job.Segments(), Loss: t.loss})
		}
	}
	return &Result{Commitment: b.Commitment(), Leaves: b.Leaves(), StateRoot: root, Loss: t.loss}, nil
}

// builder resumes from a file if there is one, else begins.
func (t *Trainer) builder(file string) (*checkpoint.Builder, error) {
	if file != "" {
		b, err := t.resume(file)
		if err == nil {
			return b, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.broken = err
			return nil, err
		}
	}
	root, err := t.Root()
	if err != nil {
		return nil, err
	}
	return checkpoint.NewBuilder(t.job.Task, t.job.Operator, root), nil
}

// segment runs the steps up to the next state.
func (t *Trainer) segment(o Options) error {
	t.trace = t.trace[:0]
	end := min((t.step/t.job.SegmentSteps+1)*t.job.SegmentSteps, t.job.Spec.Steps)
	for t.step < end {
		if o.Stop != nil && o.Stop() {
			return fmt.Errorf("%w at step %d", train.ErrStopped, t.step)
		}
		if o.Watch != nil && t.step == end-1 {
			if err := o.Watch.take(t); err != nil {
				return err
			}
		}
		loss, err := t.Step()
		if err != nil {
			return err
		}
		if o.Step != nil {
			o.Step(t.step, loss)
		}
	}
	return nil
}
