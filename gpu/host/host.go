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
// Errors: what the worker said, in one line.
func Ask(ctx context.Context, exe string, answer any, args ...string) error {
	cmd := exec.CommandContext(ctx, exe, append([]string{Command}, args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
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
