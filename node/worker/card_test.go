// SPDX-License-Identifier: Apache-2.0

package worker_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/poa/program"
)

// card is a reference device that does something after some operations.
type card struct {
	gpu.Device
	after int
	fault func(out gpu.Buffer, d gpu.Device) error
	rest  bool // from then on it must rest
	ended error
}

func (c *card) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	if err := c.Device.Run(n, in, out); err != nil {
		return err
	}
	if c.after--; c.after >= 0 || c.fault == nil {
		return nil
	}
	return c.fault(out, c.Device)
}

// lent is a card as a task sees it.
type lent struct{ c *card }

func (l lent) Device() gpu.Device { return l.c }
func (l lent) Rest() bool         { return l.c.rest && l.c.after < 0 }
func (l lent) Done(err error)     { l.c.ended = err }

func fails(err error) func(gpu.Buffer, gpu.Device) error {
	return func(gpu.Buffer, gpu.Device) error { return err }
}

func flips(out gpu.Buffer, d gpu.Device) error {
	b := make([]byte, out.Region().Len)
	if err := d.Download(b, out); err != nil {
		return err
	}
	b[0] ^= 1
	return d.Upload(out, b)
}

// TestGPU07ATaskEndsWhateverItsCardsDo lends cards that fail in the middle; the
// result is that of the processor alone.
func TestGPU07ATaskEndsWhateverItsCardsDo(t *testing.T) {
	learn := learning(t)
	made, err := worker.Execute(learn, worker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]struct {
		in      worker.Inputs
		segment int // operations of a segment, about
	}{"training": {training(t), 60}, "learning": {learn, 350}, "evaluating": {evaluating(learn, made), 30}} {
		t.Run(name, func(t *testing.T) { endsWhateverItsCardsDo(t, k.in, k.segment) })
	}
}

func endsWhateverItsCardsDo(t *testing.T, in worker.Inputs, segment int) {
	want, err := worker.Execute(in, worker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		cards []*card
		ended []error // what each was given back with
		wiped bool    // what was saved is taken back
	}{
		{"a good card", []*card{{}}, []error{nil}, false},
		{"a card that is lost", []*card{{after: segment, fault: fails(gpu.ErrLost)}}, []error{gpu.ErrLost}, false},
		{"a card that hangs, then a good one", []*card{{after: segment, fault: fails(gpu.ErrDeadline)}, {}}, []error{gpu.ErrDeadline, nil}, false},
		{"cards that are all lost", []*card{{fault: fails(gpu.ErrLost)}, {fault: fails(gpu.ErrLost)}, {fault: fails(gpu.ErrLost)}, {}},
			[]error{gpu.ErrLost, gpu.ErrLost, gpu.ErrLost}, false},
		{"a card with too little memory", []*card{{Device: ref.New(100)}, {}}, []error{gpu.ErrMemory}, false},
		{"a card that must rest", []*card{{after: segment, rest: true}}, []error{train.ErrStopped}, false},
		{"a card that turns bits", []*card{{after: 2 * segment, fault: flips}, {}}, []error{gpu.ErrWrong}, true},
		{"a card that is lost after a rest", []*card{{after: segment, rest: true}, {after: segment, fault: fails(gpu.ErrLost)}},
			[]error{train.ErrStopped, gpu.ErrLost}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			lentOut, file := 0, filepath.Join(t.TempDir(), "state")
			var last uint64
			wiped := false
			got, err := worker.Execute(in, worker.Options{
				File:     file,
				Progress: func(done, _ uint64) { wiped, last = wiped || done <= last, done },
				Cards: func() worker.Card {
					if lentOut == len(c.cards) {
						return nil
					}
					k := c.cards[lentOut]
					if k.Device == nil {
						k.Device = ref.New(1 << 24)
					}
					lentOut++
					return lent{k}
				}})
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != want.Verdict || got.Content != want.Content || !slices.Equal(got.Leaves, want.Leaves) {
				t.Error("other bits")
			}
			if lentOut != len(c.ended) || wiped != c.wiped || last != 4 {
				t.Errorf("%d cards were lent, want %d; wiped %v", lentOut, len(c.ended), wiped)
			}
			for i, want := range c.ended {
				if got := c.cards[i].ended; !errors.Is(got, want) {
					t.Errorf("card %d ended in %v, want %v", i, got, want)
				}
			}
		})
	}
}

func TestATaskOnACardStopsWhenItIsTold(t *testing.T) {
	n := 0
	k := &card{Device: ref.New(1 << 24)}
	_, err := worker.Execute(training(t), worker.Options{Stop: func() bool { n++; return n > 5 }, Cards: func() worker.Card { return lent{k} }})
	if !errors.Is(err, train.ErrStopped) || !errors.Is(k.ended, train.ErrStopped) {
		t.Errorf("%v, the card %v", err, k.ended)
	}
}
