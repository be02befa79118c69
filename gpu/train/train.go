// SPDX-License-Identifier: Apache-2.0

package train

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/poa/checkpoint"
	"github.com/openledger/openledger/poa/program"
)

// Errors of this package. Each function names those that it returns.
var (
	// ErrStopped means that Options.Stop asked for the end; the last saved state
	// can be resumed.
	ErrStopped = errors.New("training stopped")
	// ErrData means data that the spec cannot be run on.
	ErrData = errors.New("data does not fit the training spec")
	// ErrDiverged means that a loss or a parameter is no longer a finite number;
	// nothing may be committed.
	ErrDiverged = errors.New("training diverged")
	// ErrSaved means a saved state that is damaged or of another job.
	ErrSaved = errors.New("bad saved state")
)

// Job is everything that determines a run. Two runs of one Job give equal bits.
type Job struct {
	// Task is the object id of the TrainDescriptor.
	Task [32]byte
	// Operator is the account that commits; a checker puts the operator's, not
	// its own.
	Operator keys.Address
	// Spec is what to run.
	Spec program.Train
	// Data are the labelled rows of the task's datasets, ascending by dataset
	// id. They are read only.
	Data *model.Data
}

// Check verifies the spec, that the data fits it, and that this machine computes
// as fx/1 demands. Errors: program.ErrSpec, model.ErrArch, ErrData,
// fx.ErrMachine.
func (j Job) Check() error {
	if err := fx.CheckMachine(); err != nil {
		return err
	}
	if err := j.Spec.Check(); err != nil {
		return err
	}
	if err := model.ArchOf(j.Spec).Check(); err != nil {
		return err
	}
	d := j.Data
	switch {
	case d == nil || d.Rows == 0:
		return fmt.Errorf("%w: no rows", ErrData)
	case uint64(d.Features) != j.Spec.Features || len(d.X) != d.Rows*d.Features:
		return fmt.Errorf("%w: %d features, the model has %d", ErrData, d.Features, j.Spec.Features)
	case len(d.Y) != d.Rows:
		return fmt.Errorf("%w: %d labels for %d rows", ErrData, len(d.Y), d.Rows)
	}
	for i, y := range d.Y {
		if y < 0 || uint64(y) >= j.Spec.Classes {
			return fmt.Errorf("%w: label %d of row %d is not a class 0..%d", ErrData, y, i, j.Spec.Classes-1)
		}
	}
	return nil
}

// Progress tells how far a run is, after a segment.
type Progress struct {
	Segment, Segments uint64  // segments done, and in all
	Loss              float32 // mean cross-entropy of the segment's last step
}

// Options are the hooks of a run; none changes a bit of the result. The zero
// value runs from the start to the end.
type Options struct {
	// Progress, if not nil, is called after each segment.
	Progress func(Progress)
	// Stop, if not nil, is asked before each step; true ends the run with
	// ErrStopped.
	Stop func() bool
	// Save, if not nil, gets the saved state after each segment; the bytes are
	// the callee's. An error ends the run with it.
	Save func(saved []byte) error
	// Resume, if not nil, are bytes that Save got in an earlier run of the same
	// Job; the run goes on from there.
	Resume []byte
}

// Result is a finished run.
type Result struct {
	Commitment  checkpoint.Commitment // root over the leaves, and their number
	Leaves      []checkpoint.Leaf
	Weights     *model.Weights
	WeightsRoot [32]byte   // OutputRoot of TaskCommit
	Blob        []byte     // Weights.Encode()
	Output      content.ID // of Blob
	Loss        float32    // mean cross-entropy of the last step
}

// Accuracy counts the labelled rows of d, loaded for the same architecture, that
// the trained weights label right.
func (r *Result) Accuracy(d *model.Data) (correct, rows int) {
	return model.NewNet(r.Weights).Correct(d), d.Rows
}

// Run runs the job. It is also how a checker replays a whole task: with the
// operator's address it gives the operator's root, or the operator lied.
//
// Cost: about 2 ns per unit of Spec.Cost() on one core. Errors: those of Job.Check,
// ErrStopped, ErrDiverged, ErrSaved, and what Options.Save returned.
func Run(j Job, o Options) (*Result, error) {
	if err := j.Check(); err != nil {
		return nil, err
	}
	s, b, err := start(j, o.Resume)
	if err != nil {
		return nil, err
	}
	r := newRunner(j, s)
	bind := j.bind()
	for b.Len() < j.Spec.Segments {
		if err := r.segment(b, o.Stop); err != nil {
			return nil, err
		}
		if o.Progress != nil {
			o.Progress(Progress{Segment: b.Len(), Segments: j.Spec.Segments, Loss: r.loss})
		}
		if o.Save != nil {
			if err := o.Save(encodeSaved(bind, r.state(), b.Leaves())); err != nil {
				return nil, err
			}
		}
	}
	return r.result(b), nil
}

func start(j Job, saved []byte) (*State, *checkpoint.Builder, error) {
	if saved == nil {
		s := Start(j.Spec)
		return s, checkpoint.NewBuilder(j.Task, j.Operator, s.Root()), nil
	}
	return decodeSaved(j, saved)
}

// Replay runs one segment, segment i = Step/StepsPerSegment of the start state,
// and returns its leaf and the end state. A checker that holds the state before
// a segment needs no more. start is not changed.
//
// Errors: those of Job.Check, ErrSaved if start is not at the start of a
// segment of this job, ErrStopped, ErrDiverged.
func Replay(j Job, start *State, stop func() bool) (checkpoint.Leaf, *State, error) {
	if err := j.Check(); err != nil {
		return checkpoint.Leaf{}, nil, err
	}
	k := j.Spec.StepsPerSegment
	if start.Step%k != 0 || start.Step/k >= j.Spec.Segments || start.Params.Arch != model.ArchOf(j.Spec) {
		return checkpoint.Leaf{}, nil, fmt.Errorf("%w: step %d does not start a segment", ErrSaved, start.Step)
	}
	r := newRunner(j, start)
	trace, err := r.steps(stop)
	if err != nil {
		return checkpoint.Leaf{}, nil, err
	}
	i, end := start.Step/k, r.state()
	return checkpoint.Leaf{
		Index: i,
		In:    checkpoint.StateHash(j.Task, j.Operator, i, start.Root()),
		Out:   checkpoint.StateHash(j.Task, j.Operator, i+1, end.Root()),
		Trace: trace,
	}, end, nil
}

// runner is a run between two steps.
type runner struct {
	job    Job
	net    *model.Net
	step   uint64
	loss   float32
	losses []float32 // of the rows of one step
	trace  []uint32  // records T_j of the segment
	epoch  uint64    // data epoch of order
	order  *fx.Order
}

func newRunner(j Job, s *State) *runner {
	r := &runner{job: j, net: model.NewNet(s.Params), step: s.Step, losses: make([]float32, j.Spec.Batch)}
	r.net.SetMomentum(s.Momentum)
	return r
}

// segment runs the next segment and adds its leaf.
func (r *runner) segment(b *checkpoint.Builder, stop func() bool) error {
	trace, err := r.steps(stop)
	if err != nil {
		return err
	}
	return b.Add(r.state().Root(), trace)
}

// steps runs the steps of one segment and returns the digest of their records
// T_j = [loss bits, red_sumsq bits of each tensor's gradient], little-endian
// words one after the other. Spec: CHK-01.
func (r *runner) steps(stop func() bool) ([32]byte, error) {
	r.trace = r.trace[:0]
	for range r.job.Spec.StepsPerSegment {
		if stop != nil && stop() {
			return [32]byte{}, fmt.Errorf("%w at step %d", ErrStopped, r.step)
		}
		r.one()
		if !fx.Finite(r.loss) {
			return [32]byte{}, fmt.Errorf("%w: the loss of step %d is not a number; try a smaller lr", ErrDiverged, r.step)
		}
		r.step++
	}
	if err := r.state().Check(); err != nil {
		return [32]byte{}, fmt.Errorf("%w after step %d: %w; try a smaller lr", ErrDiverged, r.step-1, err)
	}
	b := make([]byte, 0, 4*len(r.trace))
	for _, w := range r.trace {
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return content.Sum(b).Hash(), nil
}

// one runs one step: row r of the batch is record perm(seed, data epoch, n,
// (t·B+r) mod n). Spec: TNS-04.
func (r *runner) one() {
	s, d := r.job.Spec, r.job.Data
	n := uint64(d.Rows)
	g := fx.Div(1, fx.FromInt(int32(s.Batch)))
	r.net.Begin()
	for k := range s.Batch {
		at := r.step*s.Batch + k
		if e := at / n; r.order == nil || e != r.epoch {
			r.epoch, r.order = e, fx.NewOrder(s.Seed, uint32(e), n)
		}
		i := int(r.order.At(at % n))
		r.losses[k] = r.net.Row(d.Row(i), d.Y[i], g)
	}
	r.loss = fx.Mul(fx.RedSum(r.losses), g)
	r.trace = append(r.trace, fx.Bits(r.loss))
	r.trace = r.net.Update(fx.FromBits(s.LR), fx.FromBits(s.L2), fx.FromBits(s.Momentum), r.trace)
}

// state copies the current state.
func (r *runner) state() *State {
	return &State{Step: r.step, Params: r.net.Weights(), Momentum: r.net.Momentum()}
}

func (r *runner) result(b *checkpoint.Builder) *Result {
	w := r.net.Weights()
	blob := w.Encode()
	return &Result{
		Commitment: b.Commitment(), Leaves: b.Leaves(),
		Weights: w, WeightsRoot: w.Root(), Blob: blob, Output: content.Sum(blob), Loss: r.loss,
	}
}
