// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cuda"
	"github.com/openledger/openledger/gpu/proc"
)

// Command is the name under which a program runs as a worker; its flags are those
// that this package gives it.
const Command = "gpu-worker"

// Deadlines of a worker.
const (
	listing  = time.Minute     // a driver that starts, at most
	deadline = 2 * time.Minute // one call of a device
	dying    = 5 * time.Second // a process that was killed
)

// Cards asks a worker which cards there are, so that this process never loads a
// driver. exe is this program. Errors: what the worker said, in one line.
func Cards(ctx context.Context, exe string) ([]cuda.Card, error) {
	ctx, cancel := context.WithTimeout(ctx, listing)
	defer cancel()
	var cards []cuda.Card
	return cards, Ask(ctx, exe, &cards, "--list")
}

// Temperature asks a worker for that of a card, in °C. Errors: what the worker said.
// Spec: GPU-10.
func Temperature(ctx context.Context, exe, uuid string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, listing)
	defer cancel()
	var celsius int
	err := Ask(ctx, exe, &celsius, "--temperature", "--device", uuid)
	return celsius, err
}

// Ask runs a worker with args and reads the JSON that it writes into answer.
// Errors: what the worker said, in one line; gpu.ErrDeadline.
func Ask(ctx context.Context, exe string, answer any, args ...string) error {
	cmd := exec.CommandContext(ctx, exe, append([]string{Command}, args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := output(ctx, cmd)
	switch {
	case errors.Is(err, errStuck), err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: the driver does not answer; look at nvidia-smi and the system's log (%w)", gpu.ErrDeadline, err)
	case err != nil:
		if text := strings.TrimSpace(said.String()); text != "" {
			return errors.New(strings.TrimPrefix(text[strings.LastIndexByte(text, '\n')+1:], "openledger: "))
		}
		return fmt.Errorf("the worker ended: %w", err)
	}
	if err := json.Unmarshal(out, answer); err != nil {
		return fmt.Errorf("answer of the worker: %w", err)
	}
	return nil
}

var errStuck = errors.New("its process was killed and does not end")

// output is what cmd writes. Errors: that of its end, errStuck if ctx has ended and
// cmd has not: a driver that hangs in the system keeps its process from dying.
func output(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out []byte
	ended := make(chan error, 1)
	go func() {
		b, err := cmd.Output()
		out = b
		ended <- err
	}()
	select {
	case err := <-ended:
		return out, err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return out, err
	case <-time.After(dying):
		return nil, errStuck
	}
}

// Open starts a worker for one card, waits for its self-test and returns its
// device. Errors: gpu.ErrLost with what the worker said, gpu.ErrDeadline.
func Open(exe, uuid string, l Limits) (*proc.Device, error) {
	return proc.Start(proc.Worker{
		Path: exe,
		Args: []string{Command, "--device", uuid, "--memory", strconv.FormatUint(l.Memory, 10), "--share", strconv.FormatUint(l.Share, 10)},
		// Only this card: others are neither seen nor woken.
		Env:      []string{"CUDA_VISIBLE_DEVICES=" + uuid},
		Deadline: cmp.Or(l.Deadline, deadline),
	})
}
