// SPDX-License-Identifier: Apache-2.0

package tune

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/train"
)

// take copies the state of a run of the same job.
func (w *Trainer) take(t *Trainer) error {
	for _, s := range t.job.Spec.State() {
		to, at := w.buffer(s), uint64(0)
		err := t.read(t.buffer(s), func(p []byte) error {
			n := uint64(len(p)) / s.Type.Size()
			v, err := w.dev.View(to, at, n)
			if err != nil {
				return err
			}
			at += n
			return w.dev.Upload(v, p)
		})
		if err != nil {
			return err
		}
	}
	w.step, w.trace, w.broken = t.step, nil, nil
	return nil
}

// same computes the step after the state that was taken, and compares record and root
// with those of t. Errors: gpu.ErrWrong, those of the device of w. Spec: GPU-08.
func (w *Trainer) same(t *Trainer, root [32]byte) error {
	_, err := w.Step()
	var own [32]byte
	if err == nil {
		own, err = w.Root()
	}
	if err != nil && !errors.Is(err, train.ErrDiverged) {
		return err
	}
	if err != nil || own != root || !bytes.HasSuffix(t.trace, w.trace) {
		t.broken = fmt.Errorf("%w: step %d, computed again on %s, differs", gpu.ErrWrong, t.step-1, w.dev.Info().Name)
		return t.broken
	}
	return nil
}
