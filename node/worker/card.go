// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/lm"
	"github.com/openledger/openledger/gpu/train"
)

// Card is a device that is lent to one task.
type Card interface {
	Device() gpu.Device
	// Rest says that the card must be given back now.
	Rest() bool
	// Done gives it back, with the error that its work ended in.
	Done(err error)
}

// maxLosses is how many cards a task may lose before the processor takes over.
const maxLosses = 3

// run computes a task on a device, or with none on the processor.
type run func(d gpu.Device, stop func() bool) (Output, error)

// onDevices runs on cards as long as there are some, and on the processor from where
// the last one came to. Where a card computed a wrong bit, everything that is saved of
// the task is thrown away. Errors: train.ErrStopped, those of the file system, ErrTask
// for every other. Spec: GPU-07, GPU-08.
func onDevices(o Options, r run) (Output, error) {
	stop := o.Stop
	if stop == nil {
		stop = func() bool { return false }
	}
	out, done, err := onCards(o, stop, r)
	if !done {
		out, err = r(nil, stop)
	}
	var file *fs.PathError
	var link *os.LinkError
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, train.ErrStopped), errors.As(err, &file), errors.As(err, &link):
		return Output{}, err
	}
	return Output{}, fmt.Errorf("%w: %w", ErrTask, err)
}

// onCards reports whether the work is done, or ended in an error.
func onCards(o Options, stop func() bool, r run) (Output, bool, error) {
	for losses := 0; o.Cards != nil && losses < maxLosses; {
		k := o.Cards()
		if k == nil {
			break
		}
		out, err := r(k.Device(), func() bool { return stop() || k.Rest() })
		k.Done(err)
		switch {
		case errors.Is(err, train.ErrStopped) && !stop(): // the card rests
		case errors.Is(err, gpu.ErrWrong), errors.Is(err, train.ErrDiverged), errors.Is(err, lm.ErrLogits): // the processor decides
			losses = maxLosses
			if err := forget(o.File); err != nil {
				return Output{}, true, err
			}
		case errors.Is(err, gpu.ErrLost), errors.Is(err, gpu.ErrDeadline):
			losses++
		case errors.Is(err, gpu.ErrMemory), errors.Is(err, gpu.ErrUnsupported):
			losses = maxLosses // too large for it
		default:
			return out, true, err
		}
	}
	return Output{}, false, nil
}

// Multiply-adds of a step, or of an answer's token, below which one thread is faster
// than several that wait for each other, most of all where others work too.
const (
	aloneStep  = 1 << 26
	aloneToken = 1 << 22
)

// processor gives a run without a device this machine's threads, or one of them, and
// one on a card the same to watch it.
func processor(o Options, alone bool, r func(d, watch gpu.Device, stop func() bool) (Output, error)) run {
	return func(card gpu.Device, stop func() bool) (Output, error) {
		memory := o.Memory
		if memory == 0 {
			memory = cpu.Available()
		}
		threads := 0
		if alone {
			threads = 1
		}
		own, err := cpu.New(cpu.Options{Memory: memory, Threads: threads, Force: os.Getenv("OPENLEDGER_CPU")})
		if err != nil {
			return Output{}, err
		}
		defer own.Close()
		if card != nil {
			return r(card, own, stop)
		}
		return r(own, nil, stop)
	}
}

// forget deletes what is saved of a task.
func forget(file string) error {
	if file == "" {
		return nil
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
