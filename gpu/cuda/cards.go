// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

package cuda

import (
	"fmt"

	"gorgonia.org/cu"

	"github.com/openledger/openledger/gpu/driver"
)

// Cards starts the driver and lists the cards. Errors: driver.ErrNoDriver,
// driver.ErrInit, or what the driver says.
func Cards() ([]Card, error) {
	if _, err := driver.Open(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("count cards: %w", err)
	}
	cards := make([]Card, n)
	for i := range cards {
		if cards[i], err = describe(i); err != nil {
			return nil, fmt.Errorf("card %d: %w", i, err)
		}
	}
	return cards, nil
}

// Temperature reads that of a card in °C. For a process that ends soon after. Errors:
// driver.ErrNoDriver, or what the management library says. Spec: GPU-10.
func Temperature(uuid string) (int, error) { return driver.Temperature(uuid) }

func describe(index int) (Card, error) {
	c := Card{Index: index, Driver: cu.Version()}
	d, err := cu.GetDevice(index)
	if err != nil {
		return c, err
	}
	if c.Name, err = d.Name(); err != nil {
		return c, err
	}
	id, err := d.UUID()
	if err != nil {
		return c, err
	}
	c.UUID = "GPU-" + id.String()
	bytes, err := d.TotalMem()
	if err != nil {
		return c, err
	}
	c.Memory = uint64(bytes)
	for _, a := range []struct {
		of cu.DeviceAttribute
		to *int
	}{
		{cu.ComputeCapabilityMajor, &c.Major}, {cu.ComputeCapabilityMinor, &c.Minor},
		{cu.MultiprocessorCount, &c.Multiprocessor}, {cu.ClockRate, &c.ClockKHz},
	} {
		if *a.to, err = d.Attribute(a.of); err != nil {
			return c, err
		}
	}
	return c, nil
}
