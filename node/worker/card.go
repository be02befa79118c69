// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"

	"github.com/openledger/openledger/gpu"
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

// run trains on cards as long as there are some, and on the processor from where the
// last one came to. What a card computed that gave one wrong bit is thrown away, also
// what was saved of it. Spec: GPU-07, GPU-08.
func run(job train.Job, opt train.Options, cards func() Card) (*train.Result, error) {
	stop, save := opt.Stop, opt.Save
	if stop == nil {
		stop = func() bool { return false }
	}
	if save == nil {
		save = func([]byte) error { return nil }
	}
	opt.Save = func(b []byte) error { opt.Resume = b; return save(b) }
	for losses := 0; cards != nil && losses < maxLosses; {
		k := cards()
		if k == nil {
			break
		}
		before := opt.Resume
		on := opt
		on.Device, on.Watch = k.Device(), true
		on.Stop = func() bool { return stop() || k.Rest() }
		r, err := train.Run(job, on)
		k.Done(err)
		switch {
		case errors.Is(err, train.ErrStopped) && !stop(): // the card rests
		case errors.Is(err, gpu.ErrWrong), errors.Is(err, train.ErrDiverged): // the processor decides
			losses, opt.Resume = maxLosses, before
			if err := save(before); err != nil {
				return nil, err
			}
		case errors.Is(err, gpu.ErrLost), errors.Is(err, gpu.ErrDeadline):
			losses++
		case errors.Is(err, gpu.ErrMemory), errors.Is(err, gpu.ErrUnsupported):
			losses = maxLosses // too large for it
		default:
			return r, err
		}
	}
	return train.Run(job, opt)
}
