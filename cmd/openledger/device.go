// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/cuda"
	"github.com/openledger/openledger/gpu/host"
	"github.com/openledger/openledger/gpu/ref"
)

// deviceFlags choose where a language model is computed.
type deviceFlags struct {
	device string
	memory float64
}

func (f *deviceFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.device, "device", "cpu", "cpu; a card's number or UUID; auto: a card if there is one; ref: the definition, slow. All give the same bits")
	cmd.Flags().Float64Var(&f.memory, "memory", 0, "most memory in GiB (default: what the machine has free, 80 % of a card)")
}

// open opens the device with a bound on its memory, so that what does not fit is an
// error and not the end of the process. A card is opened by a worker process, which
// tests it first. What auto decides is a line on notes. Spec: GPU-07, GPU-08.
func (f *deviceFlags) open(ctx context.Context, notes io.Writer) (gpu.Device, error) {
	if f.memory < 0 || f.memory > 1<<30 {
		return nil, usage("--memory %g: a number of GiB above 0", f.memory)
	}
	most := uint64(f.memory * (1 << 30))
	switch f.device {
	case "ref":
		return ref.New(orFree(most)), nil
	case "cpu":
		return cpu.New(cpu.Options{Memory: orFree(most), Force: os.Getenv("OPENLEDGER_CPU")})
	}
	d, err := openCard(ctx, f.device, most, notes)
	var coded *exitError
	switch {
	case err == nil:
		return d, nil
	case f.device == "auto" && ctx.Err() == nil:
		fmt.Fprintf(notes, "no card: %s; the processor computes\n", oneLine(err.Error()))
		return cpu.New(cpu.Options{Memory: orFree(most), Force: os.Getenv("OPENLEDGER_CPU")})
	case errors.As(err, &coded) && coded.code == exitUsage:
		return nil, err
	}
	return nil, fmt.Errorf("%w; --device cpu gives the same bits", err)
}

// openCard starts the worker of a card, or of the first one that passes its self-test.
func openCard(ctx context.Context, which string, most uint64, notes io.Writer) (gpu.Device, error) {
	exe, cards, err := chosenCards(ctx, which)
	if err != nil {
		return nil, err
	}
	for _, c := range cards {
		memory, e := host.ParseMemory("", c.Memory)
		if e != nil {
			return nil, e
		}
		if most > 0 {
			memory = min(most, c.Memory)
		}
		d, e := host.Open(exe, c.UUID, host.Limits{Memory: memory, Share: 100})
		if e == nil {
			fmt.Fprintf(notes, "card %d (%s) passed its self-test and computes\n", c.Index, c.Name)
			return d, nil
		}
		err = fmt.Errorf("card %d (%s): %w", c.Index, c.Name, e)
	}
	return nil, err
}

// chosenCards are the card with a number or UUID, or all of them for auto: at least
// one. What is wrongly written is told before a driver is asked.
func chosenCards(ctx context.Context, which string) (exe string, chosen []cuda.Card, err error) {
	index, notNumber := strconv.ParseUint(which, 10, 8)
	if which != "auto" && notNumber != nil && !strings.HasPrefix(which, "GPU-") {
		return "", nil, usage("--device %q: write cpu, or the number or UUID of a card; openledger gpu list shows them", which)
	}
	if exe, err = os.Executable(); err != nil {
		return "", nil, err
	}
	cards, err := host.Cards(ctx, exe)
	if err != nil {
		return "", nil, &exitError{exitNotFound, err}
	}
	for _, c := range cards {
		if which == "auto" || which == c.UUID || notNumber == nil && c.Index == int(index) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 && which == "auto" {
		return "", nil, &exitError{exitNotFound, errors.New("the driver shows no card")}
	}
	if len(chosen) == 0 {
		return "", nil, &exitError{exitNotFound, fmt.Errorf("there is no card %s; openledger gpu list shows %d", which, len(cards))}
	}
	return exe, chosen, nil
}

// lost says how to go on when a card failed in the middle. state is the file that the
// run saves its state in, "" for none; what a card computed that gave one wrong bit is
// thrown away with it. Spec: GPU-07, GPU-08.
func lost(err error, d gpu.Device, state *savedState) error {
	if !errors.Is(err, gpu.ErrLost) && !errors.Is(err, gpu.ErrDeadline) {
		return err
	}
	err = fmt.Errorf("%s: %w", d.Info().Name, err)
	switch {
	case errors.Is(err, gpu.ErrWrong):
		if e := state.back(); e != nil {
			err = errors.Join(err, e)
		}
		return fmt.Errorf("%w; use nothing that it computed: the same command with --device cpu computes it anew, and openledger gpu selftest --exhaustive tests the card", err)
	case state.exists():
		return fmt.Errorf("%w; the state up to the last segment is saved: the same command goes on from there, also with --device cpu and to the same bits", err)
	}
	return fmt.Errorf("%w; nothing was saved: run the same command again, or with --device cpu, which gives the same bits", err)
}

// orFree is most, or what the machine has free.
func orFree(most uint64) uint64 {
	if most > 0 {
		return most
	}
	return cpu.Available()
}

// savedState is the file in which a run saves its state; nil saves nothing. A run on
// a card keeps the file that it begins with until it ends, for the case that the card
// computes wrong.
type savedState struct{ path string }

const before = ".before"

// keep is called before a run on a card; the file is replaced by rename, so a second
// name keeps the old one.
func (s *savedState) keep() error {
	if err := os.Remove(s.path + before); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	_ = os.Link(s.path, s.path+before) // not everywhere; then a wrong card costs the whole run
	return nil
}

// back puts the file back, or away if there was none.
func (s *savedState) back() error {
	if s == nil {
		return nil
	}
	err := os.Rename(s.path+before, s.path)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.Remove(s.path); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	return err
}

func (s *savedState) exists() bool {
	if s == nil {
		return false
	}
	_, err := os.Lstat(s.path)
	return err == nil
}

// done forgets what keep kept.
func (s *savedState) done() { _ = os.Remove(s.path + before) }

// onState runs a job that saves its state in a folder on d, and says how to go on if d
// fails.
func onState(d gpu.Device, out string, job func() error) error {
	s := &savedState{filepath.Join(out, stateFile)}
	if d.Info().Backend == "cuda" {
		if err := s.keep(); err != nil {
			return err
		}
	}
	err := lost(job(), d, s)
	s.done()
	return err
}
