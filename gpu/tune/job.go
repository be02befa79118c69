// SPDX-License-Identifier: Apache-2.0

package tune

import (
	"encoding/binary"
	"fmt"

	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/poa/checkpoint"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/poa/program"
)

// Ignored is the id of a place that no token stands at: it is not learned.
const Ignored = -100

// Job is everything that determines a run besides the weights it starts from. Two
// runs of one Job from equal weights give equal bits; Spec.Micro is free.
type Job struct {
	// Task and Operator enter the leaves, see checkpoint.StateHash. Zero for a run of
	// one's own.
	Task     [32]byte
	Operator keys.Address
	// Spec is one step.
	Spec decoder.Train
	// Rates are the learning rates of all steps: Constant, Linear, or any table.
	Rates []float32
	// SegmentSteps is how many steps are between two states; the last segment may be
	// shorter.
	SegmentSteps uint64
	// Data are records of Spec.Tokens+1 ids, made by Records.
	Data []int32
}

// Check verifies the job. Errors: program.ErrSpec, train.ErrData.
func (j Job) Check() error {
	if err := j.Spec.Check(); err != nil {
		return err
	}
	if uint64(len(j.Data)) != j.Spec.Records*(j.Spec.Tokens+1) {
		return fmt.Errorf("%w: %d ids are not %d records of %d", train.ErrData, len(j.Data), j.Spec.Records, j.Spec.Tokens+1)
	}
	if uint64(len(j.Rates)) != j.Spec.Steps {
		return fmt.Errorf("%w: %d learning rates for %d steps", program.ErrSpec, len(j.Rates), j.Spec.Steps)
	}
	for i, r := range j.Rates {
		if !fx.Finite(r) || r < 0 {
			return fmt.Errorf("%w: the learning rate of step %d is %g", program.ErrSpec, i, r)
		}
	}
	if j.SegmentSteps < 1 || j.Segments() > checkpoint.MaxSegments {
		return fmt.Errorf("%w: %d steps in segments of %d; at most %d segments", program.ErrSpec, j.Spec.Steps, j.SegmentSteps, checkpoint.MaxSegments)
	}
	for i, id := range j.Data {
		if id != Ignored && (id < 0 || uint64(id) >= j.Spec.Net.Arch.Vocab) {
			return fmt.Errorf("%w: id %d of record %d is no token of a vocabulary of %d", train.ErrData, id, uint64(i)/(j.Spec.Tokens+1), j.Spec.Net.Arch.Vocab)
		}
	}
	return nil
}

// Segments is the number of segments of the run.
func (j Job) Segments() uint64 { return (j.Spec.Steps + j.SegmentSteps - 1) / j.SegmentSteps }

// bind names the job, and the weights that it freezes or starts from.
func (j Job) bind(weights [32]byte) [32]byte {
	s := j.Spec
	s.Micro = s.Seqs
	h := content.NewHasher()
	var word [4]byte
	for _, id := range j.Data {
		binary.LittleEndian.PutUint32(word[:], uint32(id))
		h.Write(word[:])
	}
	return keys.Sum(keys.DomainProgram, j.Task, j.Operator, s, fx.AppendBits(nil, j.Rates), j.SegmentSteps, h.ID(), weights)
}

// Records cuts a text into records of tokens+1 ids. Each begins with the id that ends
// the one before, so that every token but the first is learned once; the last is
// filled up with Ignored. Errors: train.ErrData for a text of less than two tokens.
// Spec: TNS-04.
func Records(text []uint32, tokens uint64) (data []int32, records uint64, err error) {
	if len(text) < 2 || tokens < 1 {
		return nil, 0, fmt.Errorf("%w: a text of %d tokens holds nothing to learn: it takes two", train.ErrData, len(text))
	}
	for at := uint64(0); at+1 < uint64(len(text)); at += tokens {
		for i := at; i <= at+tokens; i++ {
			if i < uint64(len(text)) {
				data = append(data, int32(text[i]))
			} else {
				data = append(data, Ignored)
			}
		}
		records++
	}
	return data, records, nil
}

// Constant is one rate for all steps.
func Constant(rate float32, steps uint64) []float32 {
	out := make([]float32, steps)
	for i := range out {
		out[i] = rate
	}
	return out
}

// Linear rises in warm steps to rate and then falls to 0 after the last one: step i
// has rate·((i+1)/warm), later rate·((steps−i)/(steps−warm)). Spec: OP-04.
func Linear(rate float32, warm, steps uint64) []float32 {
	out := make([]float32, steps)
	part := func(a, b uint64) float32 { return fx.Mul(rate, fx.Div(fx.FromInt(int32(a)), fx.FromInt(int32(b)))) }
	for i := range steps {
		if i < warm {
			out[i] = part(i+1, warm)
		} else {
			out[i] = part(steps-i, steps-warm)
		}
	}
	return out
}
