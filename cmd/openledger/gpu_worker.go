// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/bench"
	"github.com/openledger/openledger/gpu/cuda"
	"github.com/openledger/openledger/gpu/host"
)

// workerFlags say what a worker does; without a question it serves a device.
type workerFlags struct {
	list, bench, test, exhaustive, heat bool
	device                              string
	limits                              host.Limits
}

// newGPUWorkerCmd is the process that holds a card. Only this program starts it.
func newGPUWorkerCmd() *cobra.Command {
	var f workerFlags
	cmd := &cobra.Command{
		Use: host.Command, Short: "Hold a card for a node", Args: cobra.NoArgs, Hidden: true,
		Example: "  openledger gpu-worker --list",
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd.OutOrStdout()) },
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.list, "list", false, "write the cards of this machine")
	fl.BoolVar(&f.bench, "bench", false, "measure the card")
	fl.BoolVar(&f.test, "selftest", false, "test the card")
	fl.BoolVar(&f.exhaustive, "exhaustive", false, "test the card with many cases")
	fl.BoolVar(&f.heat, "temperature", false, "write the card's temperature in °C")
	fl.StringVar(&f.device, "device", "", "UUID of the card")
	fl.Uint64Var(&f.limits.Memory, "memory", 0, "bytes of the card to use")
	fl.Uint64Var(&f.limits.Share, "share", 100, "percent of the time")
	return cmd
}

func (f workerFlags) run(w io.Writer) error {
	if f.list {
		cards, err := cuda.Cards()
		if err != nil {
			return err
		}
		return json.NewEncoder(w).Encode(cards)
	}
	if f.heat {
		t, err := cuda.Temperature(f.device)
		if err != nil {
			return err
		}
		return json.NewEncoder(w).Encode(t)
	}
	if !f.bench && !f.test && !f.exhaustive {
		return host.Work(f.device, f.limits)
	}
	d, err := host.OpenHere(f.device, f.limits.Memory)
	if err != nil {
		return err
	}
	defer d.Close()
	if !f.bench {
		return json.NewEncoder(w).Encode(testDevice(d, f.exhaustive))
	}
	rows, err := benchCard(d)
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(benchResult{rows})
}

func benchCard(d gpu.Device) ([]bench.Row, error) {
	return measured(d, d.(interface {
		Peak() (float64, time.Duration)
	}).Peak, bench.Card)
}

// measured makes the table of a device, smaller where it is slow or has little memory.
func measured(d gpu.Device, peak bench.Peak, s bench.Sizes) ([]bench.Row, error) {
	s, err := bench.Fit(d, s, bench.Slowest)
	if err != nil {
		return nil, err
	}
	return bench.Run(d, peak, s)
}
