// SPDX-License-Identifier: Apache-2.0

package train

import (
	"errors"
	"fmt"
	"slices"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu"
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
	// Device computes, if not nil; it stays open. Its errors end the run, and what
	// Save got stands, except after gpu.ErrWrong. Without one the processor computes,
	// see Run; Plain keeps it from using its vector kernels.
	Device gpu.Device
	Plain  bool
	// Watch computes the last step of each segment on Device again in plain code,
	// before the segment counts. Errors: gpu.ErrWrong. Spec: GPU-08.
	Watch bool
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
// Without a Device the processor computes: by its vector kernels (gpu/cpu) where it
// has them, else in plain code; the bits are the same.
//
// Errors: those of Job.Check, ErrStopped, ErrDiverged, ErrSaved, what Options.Save
// returned, and those of the device.
func Run(j Job, o Options) (*Result, error) {
	if err := j.Check(); err != nil {
		return nil, err
	}
	s, b, err := start(j, o.Resume)
	if err != nil {
		return nil, err
	}
	r, err := newRunner(j, s, o)
	if err != nil {
		return nil, err
	}
	defer r.close()
	bind := j.bind()
	for b.Len() < j.Spec.Segments {
		if err := r.segment(b); err != nil {
			return nil, err
		}
		if o.Progress != nil {
			o.Progress(Progress{Segment: b.Len(), Segments: j.Spec.Segments, Loss: r.loss})
		}
		if o.Save != nil {
			if err := o.Save(encodeSaved(bind, r.now, b.Leaves())); err != nil {
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
// a segment needs no more. start is not changed. Of o, Stop, Device and Watch count.
//
// Errors: those of Job.Check, ErrSaved if start is not at the start of a
// segment of this job, ErrStopped, ErrDiverged, and those of the device.
func Replay(j Job, start *State, o Options) (checkpoint.Leaf, *State, error) {
	if err := j.Check(); err != nil {
		return checkpoint.Leaf{}, nil, err
	}
	k := j.Spec.StepsPerSegment
	if start.Step%k != 0 || start.Step/k >= j.Spec.Segments || start.Params.Arch != model.ArchOf(j.Spec) {
		return checkpoint.Leaf{}, nil, fmt.Errorf("%w: step %d does not start a segment", ErrSaved, start.Step)
	}
	r, err := newRunner(j, start, o)
	if err != nil {
		return checkpoint.Leaf{}, nil, err
	}
	defer r.close()
	trace, err := r.steps()
	if err != nil {
		return checkpoint.Leaf{}, nil, err
	}
	i := start.Step / k
	return checkpoint.Leaf{
		Index: i,
		In:    checkpoint.StateHash(j.Task, j.Operator, i, start.Root()),
		Out:   checkpoint.StateHash(j.Task, j.Operator, i+1, r.now.Root()),
		Trace: trace,
	}, r.now, nil
}

// runner is a run between two segments.
type runner struct {
	job   Job
	stop  func() bool
	watch bool
	e     engine
	own   gpu.Device // opened by this run
	now   *State
	loss  float32
	trace []uint32 // records T_j of the segment
}

func newRunner(j Job, s *State, o Options) (*runner, error) {
	r := &runner{job: j, stop: o.Stop, watch: o.Watch && o.Device != nil, now: s}
	d := o.Device
	if d == nil {
		if !o.Plain {
			r.own = processor(j.Spec)
		}
		if r.own == nil {
			r.e = newPlain(j, s)
			return r, nil
		}
		d = r.own
	}
	g, err := newGraph(d, j, s)
	if err != nil {
		r.close()
		return nil, err
	}
	r.e = g
	return r, nil
}

// alone is the cost of a step, in multiply-adds, below which one thread is faster than
// several that wait for each other: about half a millisecond.
const alone = 1 << 23

// processor returns the vector kernels of this machine, nil if it has none.
func processor(t program.Train) gpu.Device {
	threads := 0
	if 3*t.Params()*t.Batch < alone {
		threads = 1
	}
	if d := cpu.Vectors(threads); d != nil {
		return d
	}
	return nil
}

func (r *runner) close() {
	if r.e != nil {
		r.e.close()
	}
	if r.own != nil {
		_ = r.own.Close()
	}
}

// segment runs the next segment and adds its leaf.
func (r *runner) segment(b *checkpoint.Builder) error {
	trace, err := r.steps()
	if err != nil {
		return err
	}
	return b.Add(r.now.Root(), trace)
}

// steps runs the steps of one segment and returns the digest of their records,
// little-endian words one after the other. Spec: CHK-01.
func (r *runner) steps() ([32]byte, error) {
	r.trace = r.trace[:0]
	step, before := r.now.Step, r.now
	for left := r.job.Spec.StepsPerSegment; left > 0; left-- {
		if r.stop != nil && r.stop() {
			return [32]byte{}, fmt.Errorf("%w at step %d", ErrStopped, step)
		}
		if r.watch && left == 1 {
			if err := r.record(); err != nil {
				return [32]byte{}, err
			}
			var err error
			if before, err = r.e.state(); err != nil {
				return [32]byte{}, err
			}
		}
		if err := r.e.step(step); err != nil {
			return [32]byte{}, err
		}
		step++
	}
	last := len(r.trace)
	if err := r.record(); err != nil {
		return [32]byte{}, err
	}
	now, err := r.e.state()
	if err != nil {
		return [32]byte{}, err
	}
	now.Step = step
	if r.watch {
		if err := r.again(before, now, r.trace[last:]); err != nil {
			return [32]byte{}, err
		}
	}
	if err := now.Check(); err != nil {
		return [32]byte{}, fmt.Errorf("%w after step %d: %w; try a smaller lr", ErrDiverged, step-1, err)
	}
	r.now = now
	b := make([]byte, 0, 4*len(r.trace))
	for _, w := range r.trace {
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return content.Sum(b).Hash(), nil
}

// record takes the records of the steps that were run.
func (r *runner) record() error {
	words, err := r.e.records()
	r.trace = append(r.trace, words...)
	if n := 1 + len(r.now.Params.Tensors); len(words) >= n {
		r.loss = fx.FromBits(words[len(words)-n])
	}
	return err
}

// again computes the last step before now in plain code. Errors: gpu.ErrWrong.
func (r *runner) again(before, now *State, record []uint32) error {
	p := newPlain(r.job, before)
	stepErr := p.step(now.Step - 1)
	want, err := p.state()
	if err != nil {
		return err
	}
	want.Step = now.Step
	if words, _ := p.records(); stepErr != nil || !slices.Equal(words, record) || want.Root() != now.Root() {
		return fmt.Errorf("%w: step %d, computed again in plain code, differs", gpu.ErrWrong, now.Step-1)
	}
	return nil
}

// finite wants the loss of a step to be a number. Errors: ErrDiverged.
func finite(step uint64, loss float32) error {
	if fx.Finite(loss) {
		return nil
	}
	return fmt.Errorf("%w: the loss of step %d is not a number; try a smaller lr", ErrDiverged, step)
}

func (r *runner) result(b *checkpoint.Builder) *Result {
	w := r.now.Params
	blob := w.Encode()
	return &Result{
		Commitment: b.Commitment(), Leaves: b.Leaves(),
		Weights: w, WeightsRoot: w.Root(), Blob: blob, Output: content.Sum(blob), Loss: r.loss,
	}
}
