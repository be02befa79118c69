// SPDX-License-Identifier: Apache-2.0

package ask

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/format/pack"
	"github.com/openledger/openledger/gpu/infer"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/poa/checkpoint"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// Job is everything that determines a run.
type Job struct {
	// Task and Operator enter the leaves. Zero for a run of one's own.
	Task     [32]byte
	Operator keys.Address
	Spec     decoder.Ask
	// Of tables: the model, and the rows in the order of their content ids.
	Table  *infer.Model
	Tables []*table.Table
	// Of texts: the model, with Adapters the base that they belong to, and the lines of
	// all texts in the order of their content ids.
	Model, Adapters *pack.Package
	Lines           [][]byte
}

// Options are the hooks of a run; none changes a bit of the result.
type Options struct {
	// Progress, if not nil, is called after each segment that is computed.
	Progress func(done, total uint64)
	// Stop, if not nil, is asked before each row of a text and each segment; true ends
	// the run with train.ErrStopped.
	Stop func() bool
	// Watch, if not nil, is a device that is trusted: it answers the last row of each
	// segment of a text again, before the segment counts.
	Watch gpu.Device
	// File is where results are saved after each segment, and where a run that was
	// broken off goes on from; "" saves nothing.
	File string
}

// Result is a finished run.
type Result struct {
	Commitment checkpoint.Commitment
	Leaves     []checkpoint.Leaf
	Root       [32]byte // over the digests of the segments' results: OutputRoot on the ledger
	Blob       []byte   // Results.Encode of all
}

// Rows is how many rows there are.
func (j Job) Rows() uint64 {
	n := uint64(len(j.Lines))
	for _, t := range j.Tables {
		n += uint64(t.Rows)
	}
	return n
}

func (j Job) check() error {
	if err := j.Spec.Check(); err != nil {
		return err
	}
	rows := j.Rows()
	switch {
	case rows == 0:
		return fmt.Errorf("%w: no rows", train.ErrData)
	case j.Spec.Text() && (j.Model == nil || len(j.Tables) > 0), !j.Spec.Text() && (j.Table == nil || len(j.Lines) > 0):
		return fmt.Errorf("%w: a text is asked of a language model, a table of a model of tables", train.ErrData)
	case j.Spec.Segments(rows) > checkpoint.MaxSegments:
		return fmt.Errorf("%w: %d rows are more than %d segments of %d", program.ErrSpec, rows, checkpoint.MaxSegments, j.Spec.Rows)
	}
	return nil
}

// answerer gives the encoded results of rows from … to−1.
type answerer interface {
	rows(from, to uint64) ([]byte, error)
	// digest stands for model and rows.
	digest() ([32]byte, error)
	close() error
}

// Run answers every row. Tables are computed by the processor; texts on d, which gets
// its memory back. Errors: program.ErrSpec, train.ErrData, train.ErrStopped,
// gpu.ErrWrong if Watch says so, those of the packages, of lm, of the device and of the file system. Spec: TASK-01, CHK-01.
func Run(j Job, d gpu.Device, o Options) (*Result, error) {
	if err := j.check(); err != nil {
		return nil, err
	}
	if o.Stop == nil {
		o.Stop = func() bool { return false }
	}
	var a answerer
	var err error
	if j.Spec.Text() {
		a, err = newTexts(j, d, o.Stop)
	} else {
		a, err = newTables(j)
	}
	if err != nil {
		return nil, err
	}
	if o.Watch != nil && j.Spec.Text() {
		w, err := newTexts(j, o.Watch, o.Stop)
		if err != nil {
			return nil, errors.Join(err, a.close())
		}
		a = watched{a, w}
	}
	res, err := run(j, a, o)
	if e := a.close(); err == nil && e != nil {
		return nil, e
	}
	return res, err
}

// watched is an answerer whose last row is answered again. Spec: GPU-08.
type watched struct {
	answerer
	again answerer
}

func (w watched) rows(from, to uint64) ([]byte, error) {
	part, err := w.answerer.rows(from, to)
	if err != nil {
		return nil, err
	}
	want, err := w.again.rows(to-1, to)
	if err == nil && !bytes.HasSuffix(part, want) {
		err = fmt.Errorf("%w: row %d, answered again, differs", gpu.ErrWrong, to-1)
	}
	return part, err
}

func (w watched) close() error { return errors.Join(w.answerer.close(), w.again.close()) }

// run computes the segments that are not saved.
func run(j Job, a answerer, o Options) (*Result, error) {
	of, err := a.digest()
	if err != nil {
		return nil, err
	}
	f, blob, saved, err := openSaved(o.File, j, of)
	if err != nil {
		return nil, err
	}
	defer f.close()
	b := checkpoint.NewBuilder(j.Task, j.Operator, merkle.Root(nil))
	var digests [][]byte
	rows := j.Rows()
	total, fresh := j.Spec.Segments(rows), false
	for i := range total {
		if i >= uint64(len(saved)) {
			if o.Stop() {
				return nil, fmt.Errorf("%w at segment %d", train.ErrStopped, i)
			}
			part, err := a.rows(i*j.Spec.Rows, min((i+1)*j.Spec.Rows, rows))
			if err == nil {
				err = f.add(part)
			}
			if err != nil {
				return nil, err
			}
			blob, saved = append(blob, part...), append(saved, content.Sum(part).Hash())
			fresh = true
		}
		digests = append(digests, saved[i][:])
		if err := b.Add(merkle.Root(digests), saved[i]); err != nil {
			return nil, err
		}
		if o.Progress != nil && fresh {
			o.Progress(i+1, total)
		}
	}
	return &Result{Commitment: b.Commitment(), Leaves: b.Leaves(), Root: merkle.Root(digests), Blob: blob}, nil
}
