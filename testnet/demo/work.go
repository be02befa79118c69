// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openledger/openledger/gpu/infer"
	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/poa/program"
	"github.com/openledger/openledger/rpc/api"
)

const (
	waitGossip = 10 * time.Second
	waitTask   = 60 * time.Second
	trainPrice = 20 * fixed.OPEN
)

func idParams(id tx.ID) api.IDParams { return api.IDParams{ID: id} }

// trained is a settled training task.
type trained struct {
	id       tx.ID
	spec     program.Train
	task     task.Task
	model    *infer.Model
	accuracy float64
}

// datasets are the training datasets ascending by id.
func (s *story) datasets() []tx.ID {
	var ids []tx.ID
	for _, id := range s.sets {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b tx.ID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

func (s *story) descriptor() *tx.TrainDescriptor {
	return &tx.TrainDescriptor{Datasets: s.datasets(), Validation: s.valid, Price: trainPrice, CheckFee: trainPrice / 4,
		ClaimMS: 20_000, WorkMS: 60_000, CheckMS: 60_000, RevealMS: 15_000}
}

// postTraining posts a training task of a model.
func (s *story) postTraining(ctx context.Context, name string) (tx.ID, program.Train, error) {
	rows := uint64(0)
	for _, csv := range s.data.own {
		rows += uint64(countLines(csv))
	}
	spec, err := train.Defaults(name, 64, classes, scale, rows)
	if err != nil {
		return tx.ID{}, spec, err
	}
	d := s.descriptor()
	d.TaskKind, d.Train = uint8(task.Train), &spec
	id, err := s.create(ctx, requester, d)
	return id, spec, err
}

func countLines(csv []byte) (n int) {
	for _, b := range csv {
		if b == '\n' {
			n++
		}
	}
	return n
}

// ended waits until a task is over.
func (s *story) ended(ctx context.Context, id tx.ID) (t task.Task, err error) {
	err = until(ctx, fmt.Sprintf("task %.10s ends", id), waitTask, func(ctx context.Context) (bool, error) {
		o, err := s.c.TaskGet(ctx, idParams(id))
		t = o.Value
		return err == nil && t.State.Final(), err
	})
	return t, err
}

// train is beat 3: both models are trained; one of the two workers lies in its
// first task, so one of the tasks ends void and is posted again (beat 4 looks at
// it).
func (s *story) train(ctx context.Context) error {
	for _, m := range []struct {
		name string
		into *trained
	}{{program.Softmax, &s.softmax}, {program.MLP, &s.mlp}} {
		id, spec, err := s.postTraining(ctx, m.name)
		if err != nil {
			return err
		}
		*m.into = trained{id: id, spec: spec}
	}
	for _, m := range []*trained{&s.softmax, &s.mlp} {
		if err := s.finish(ctx, m); err != nil {
			return err
		}
	}
	s.r.ModelAccuracy, s.r.ReplayEqual = s.mlp.accuracy, true
	s.try("task verify %s --node %s", s.softmax.id, s.net.Nodes[2].RPC)
	return nil
}

// finish follows a task until a run of it settles, then replays it here from the
// published data and compares every root.
func (s *story) finish(ctx context.Context, m *trained) error {
	t, err := s.ended(ctx, m.id)
	if err != nil {
		return err
	}
	if t.State == task.Void {
		s.paid.lie = m.id
		s.fact("%s: task %.10s ended void: the checkers' roots differ from the operator's", m.spec.Model, m.id)
		if m.id, m.spec, err = s.postTraining(ctx, m.spec.Model); err != nil {
			return err
		}
		if t, err = s.ended(ctx, m.id); err != nil {
			return err
		}
	}
	if err := check(t.State == task.Settled, "task %v ended %v", m.id, t.State); err != nil {
		return err
	}
	m.task = t
	v, out, err := worker.Verify(ctx, s.net.Nodes[2].Client(), m.id, worker.Options{})
	if err != nil {
		return err
	}
	if err := check(v.Equal, "own replay of task %v gives another root", m.id); err != nil {
		return err
	}
	if m.model, err = infer.Load(out.Blob, t.Output.Verdict.OutputRoot); err != nil {
		return err
	}
	valid, err := s.validation(m.model.Arch())
	if err != nil {
		return err
	}
	correct, rows := m.model.Accuracy(valid)
	m.accuracy = float64(correct) / float64(rows)
	s.digest.add("tensors "+m.spec.Model, t.Output.Verdict.OutputRoot)
	s.digest.add("verdict "+m.spec.Model, t.State)
	s.fact("%s: %d segments, replayed by %d drawn checkers and once more here: every root equal; accuracy %.1f %% on %d held-out rows",
		m.spec.Model, v.Segments, len(t.Checkers), 100*m.accuracy, rows)
	return nil
}

func (s *story) validation(arch model.Arch) (*model.Data, error) {
	t, err := table.Parse("validation.csv", s.data.valid, table.Options{})
	if err != nil {
		return nil, err
	}
	return model.Load(arch, t)
}

// lie is beat 4: the false commitment was refuted. If the lying worker got no
// task yet, another one is posted for it.
func (s *story) lie(ctx context.Context) error {
	for tries := 0; s.paid.lie == (tx.ID{}) && tries < 5; tries++ {
		id, _, err := s.postTraining(ctx, program.Softmax)
		if err != nil {
			return err
		}
		t, err := s.ended(ctx, id)
		if err != nil {
			return err
		}
		if t.State == task.Void {
			s.paid.lie = id
		}
	}
	if err := check(s.paid.lie != (tx.ID{}), "the lying worker's task was not refuted"); err != nil {
		return err
	}
	o, err := s.c.TaskGet(ctx, idParams(s.paid.lie))
	if err != nil {
		return err
	}
	differ := 0
	for _, k := range o.Value.Checkers {
		if k.Verdict != nil && *k.Verdict != o.Value.Output.Verdict {
			differ++
		}
	}
	v, _, err := worker.Verify(ctx, s.net.Nodes[1].Client(), s.paid.lie, worker.Options{})
	if err != nil {
		return err
	}
	s.r.LieCaught = o.Value.State == task.Void && differ >= 2 && !v.Equal
	if err := check(s.r.LieCaught, "%d checkers differ, own replay equal: %v", differ, v.Equal); err != nil {
		return err
	}
	s.digest.add("lie", o.Value.State)
	s.fact("one worker falsified one segment: %d of %d checkers found the same other root; task void, money back, nothing paid to it", differ, len(o.Value.Checkers))
	s.try("task verify %s --node %s   (exit code 1)", s.paid.lie, s.net.Nodes[1].RPC)
	return nil
}
