// SPDX-License-Identifier: Apache-2.0

package train_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/host/hosttest"
	"github.com/openledger/openledger/gpu/model"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/gpu/train"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// TestCHK04EveryDeviceGivesTheSameRoots runs both models in plain code and on every
// device, and replays a segment there. With -v it prints the table of
// docs/bench/engine.md.
func TestCHK04EveryDeviceGivesTheSameRoots(t *testing.T) {
	all := hosttest.Devices(t)
	for _, name := range []string{program.Softmax, program.MLP} {
		j := small(t, name)
		want := run(t, j, train.Options{Plain: true})
		t.Logf("| %s | plain code | `%x` | `%x` |", name, want.Commitment.Root, want.WeightsRoot)
		start, err := afterOne(j)
		if err != nil {
			t.Fatal(err)
		}
		for _, backend := range slices.Sorted(maps.Keys(all)) {
			d := all[backend]
			got := run(t, j, train.Options{Device: d, Watch: true})
			t.Logf("| %s | %s | `%x` | `%x` |", name, backend, got.Commitment.Root, got.WeightsRoot)
			if got.Commitment != want.Commitment || !slices.Equal(got.Leaves, want.Leaves) || got.WeightsRoot != want.WeightsRoot || got.Output != want.Output ||
				fx.Bits(got.Loss) != fx.Bits(want.Loss) {
				t.Errorf("%s on %s gives other bits", name, backend)
			}
			leaf, _, err := train.Replay(j, start, train.Options{Device: d})
			if err != nil || leaf != want.Leaves[1] {
				t.Errorf("%s on %s: segment 1 replayed alone differs: %v", name, backend, err)
			}
		}
	}
	for backend, d := range all {
		if err := d.Close(); err != nil {
			t.Errorf("%s: %v", backend, err)
		}
	}
}

// afterOne is the state after the first segment.
func afterOne(j train.Job) (*train.State, error) {
	_, s, err := train.Replay(j, train.Start(j.Spec), train.Options{Plain: true})
	return s, err
}

// More steps in a segment than records wait on a device.
func TestCHK01RecordsOfLongSegmentsAreWhole(t *testing.T) {
	j := small(t, program.Softmax)
	j.Spec.StepsPerSegment, j.Spec.Segments = 150, 2
	want := run(t, j, train.Options{Plain: true})
	for _, watch := range []bool{false, true} {
		got := run(t, j, train.Options{Watch: watch, Device: ref.New(1 << 28)})
		if !slices.Equal(got.Leaves, want.Leaves) || fx.Bits(got.Loss) != fx.Bits(want.Loss) {
			t.Errorf("watch %v: %v, want %v", watch, got.Leaves, want.Leaves)
		}
	}
}

// TestARunMovesBetweenDevices goes on elsewhere from what was saved.
func TestARunMovesBetweenDevices(t *testing.T) {
	j := small(t, program.MLP)
	want := run(t, j, train.Options{Plain: true})
	var saved []byte
	for i, d := range []gpu.Device{ref.New(1 << 28), nil, ref.New(1 << 28)} {
		steps := 0
		_, err := train.Run(j, train.Options{Device: d, Resume: saved, Stop: func() bool { steps++; return steps > 6 },
			Save: func(b []byte) error { saved = b; return nil }})
		if !errors.Is(err, train.ErrStopped) {
			t.Fatalf("part %d: %v", i, err)
		}
	}
	if got := run(t, j, train.Options{Resume: saved}); got.Commitment != want.Commitment || got.Output != want.Output {
		t.Error("other bits")
	}
}

// faulty does something to the output of the operations after some.
type faulty struct {
	gpu.Device
	after int
	fault func(d gpu.Device, out gpu.Buffer) error
}

func (f *faulty) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	if err := f.Device.Run(n, in, out); err != nil {
		return err
	}
	if f.after--; f.after >= 0 {
		return nil
	}
	return f.fault(f.Device, out)
}

func flip(d gpu.Device, out gpu.Buffer) error {
	b := make([]byte, out.Region().Len)
	if err := d.Download(b, out); err != nil {
		return err
	}
	b[0] ^= 1
	return d.Upload(out, b)
}

func TestGPU08AWrongBitNeverCounts(t *testing.T) {
	for _, name := range []string{program.Softmax, program.MLP} {
		j := small(t, name)
		honest := run(t, j, train.Options{Plain: true})
		for after := range 40 {
			d := &faulty{ref.New(1 << 28), after * 17, flip}
			var leaves int
			res, err := train.Run(j, train.Options{Device: d, Watch: true, Save: func([]byte) error { leaves++; return nil }})
			switch {
			case err == nil && d.after < 0 && res.Commitment != honest.Commitment:
				t.Fatalf("%s: a bit turned from operation %d on was committed", name, after*17)
			case err != nil && !errors.Is(err, gpu.ErrWrong) && !errors.Is(err, train.ErrDiverged):
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// What a device says ends the run under its own name, and a device that lives on
// has its memory back.
func TestErrorsOfADeviceKeepTheirMeaning(t *testing.T) {
	j := small(t, program.MLP)
	for _, want := range []error{gpu.ErrLost, gpu.ErrDeadline, gpu.ErrMemory} {
		d := &faulty{ref.New(1 << 28), 100, func(gpu.Device, gpu.Buffer) error { return fmt.Errorf("here: %w", want) }}
		if _, err := train.Run(j, train.Options{Device: d}); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	small := ref.New(10_000)
	if _, err := train.Run(j, train.Options{Device: small}); !errors.Is(err, gpu.ErrMemory) {
		t.Errorf("on 10,000 bytes: %v", err)
	}
	if _, err := small.Alloc(fx.F32, 2500); err != nil {
		t.Errorf("memory is not given back: %v", err)
	}
	if _, err := train.Run(train.Job{Spec: j.Spec, Data: &model.Data{}}, train.Options{Device: small}); !errors.Is(err, train.ErrData) {
		t.Error(err)
	}
}
