// SPDX-License-Identifier: Apache-2.0

package checker_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/poa/program"
)

// TestATaskThatDivergesIsGivenUp: its losses are no numbers, on a card and without.
// Nothing is committed or kept of it, it is not tried again, and the next task is done.
func TestATaskThatDivergesIsGivenUp(t *testing.T) {
	for _, cards := range []bool{false, true} {
		t.Run(fmt.Sprintf("cards=%v", cards), func(t *testing.T) {
			w := newTown(t)
			var ended []error
			if cards {
				w.lends = func(int) worker.Card {
					return lent{&card{ref.New(1 << 24), -1, func(err error) { ended = append(ended, err) }}}
				}
			}
			// Both data sets hold numbers up to 15; steps of this size leave all floats.
			bad := w.post(&tx.TrainDescriptor{TaskKind: uint8(task.Train), Train: &program.Train{Model: program.MLP, Features: 2, Classes: 2, Hidden: 4,
				Scale: 16, Batch: 8, StepsPerSegment: 4, Segments: 4, LR: math.Float32bits(1e30), Seed: 1}})
			good := w.train()
			p := w.person(1)
			operator := worker.New(p, false, quiet)
			if err := operator.Turn(t.Context()); err != nil {
				t.Fatal(err)
			}
			if a, b := w.task(bad), w.task(good); a.State != task.Assigned || a.Output != nil || b.State != task.Committed {
				t.Fatalf("states %v and %v", a.State, b.State)
			}
			if list, err := os.ReadDir(p.dir); err != nil || len(list) > 0 {
				t.Errorf("numbers that are none are kept: %v, %v", list, err)
			}
			sent := slices.Clone(p.sent)
			if err := operator.Turn(t.Context()); err != nil || !slices.Equal(p.sent, sent) {
				t.Errorf("the next turn sends %v, %v", p.sent[len(sent):], err)
			}
			for _, err := range ended {
				if errors.Is(err, gpu.ErrLost) || errors.Is(err, gpu.ErrWrong) {
					t.Errorf("the card is blamed: %v", err)
				}
			}
			if cards && len(ended) == 0 {
				t.Error("no card worked")
			}
		})
	}
}
