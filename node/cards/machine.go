// SPDX-License-Identifier: Apache-2.0

package cards

import (
	"context"
	"time"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cuda"
	"github.com/openledger/openledger/gpu/host"
)

// Machine reaches the cards of this machine by worker processes of the program Exe.
type Machine struct {
	Exe      string
	Deadline time.Duration // of one call of a device; 0: that of gpu/host
}

// List asks a worker, so that this process never loads a driver.
func (m Machine) List(ctx context.Context) ([]cuda.Card, error) { return host.Cards(ctx, m.Exe) }

// Open starts the worker of a card.
func (m Machine) Open(uuid string, l host.Limits) (gpu.Device, error) {
	l.Deadline = m.Deadline
	d, err := host.Open(m.Exe, uuid, l)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Temperature asks a worker.
func (m Machine) Temperature(ctx context.Context, uuid string) (int, error) {
	return host.Temperature(ctx, m.Exe, uuid)
}
