// SPDX-License-Identifier: Apache-2.0

package train

import (
	"errors"
	"testing"

	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/checkpoint"
	"github.com/openledger/openledger/poa/program"
)

// tiny is a job of four rows.
func tiny() Job {
	return Job{
		Spec: program.Train{Model: program.Softmax, Features: 2, Classes: 2, Scale: 1, Batch: 2,
			StepsPerSegment: 1, Segments: 3, LR: fx.Bits(0.5)},
		Data: &model.Data{Rows: 4, Features: 2, X: []float32{0, 1, 1, 0, 1, 1, 0, 0}, Y: []int{1, 0, 1, 0}},
	}
}

// TestSavedFilesThatAgreeWithThemselvesOnly makes files whose hashes are right
// and whose content cannot come from this job.
func TestSavedFilesThatAgreeWithThemselvesOnly(t *testing.T) {
	j := tiny()
	forge := func(step uint64, segments int) []byte {
		s := Start(j.Spec)
		b := checkpoint.NewBuilder(j.Task, j.Operator, s.Root())
		s.Step = step
		for range segments {
			if err := b.Add(s.Root(), [32]byte{}); err != nil {
				t.Fatal(err)
			}
		}
		return encodeSaved(j.bind(), s, b.Leaves())
	}
	for _, c := range []struct {
		name string
		file []byte
		want error
	}{
		{"a state after one segment", forge(1, 1), nil},
		{"no segment done", forge(0, 0), ErrSaved},
		{"fewer steps than segments", forge(0, 1), ErrSaved},
		{"more steps than segments", forge(2, 1), ErrSaved},
		{"more segments than the job has", forge(4, 4), ErrSaved},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Run(j, Options{Resume: c.file}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestCHK01TheStateRootHoldsEveryPart(t *testing.T) {
	base := Start(tiny().Spec)
	for name, edit := range map[string]func(*State){
		"the step":        func(s *State) { s.Step++ },
		"a parameter":     func(s *State) { s.Params.Tensors[1].Data[3] += 1 },
		"the momentum":    func(s *State) { s.Momentum.Tensors[0].Data[1] += 1 },
		"the sign of a 0": func(s *State) { s.Momentum.Tensors[0].Data[0] = fx.FromBits(0x80000000) },
		"both exchanged":  func(s *State) { s.Params, s.Momentum = s.Momentum, s.Params },
	} {
		s := &State{Step: base.Step, Params: base.Params.Clone(), Momentum: base.Momentum.Clone()}
		edit(s)
		if s.Root() == base.Root() {
			t.Errorf("%s does not change the root", name)
		}
	}
}
