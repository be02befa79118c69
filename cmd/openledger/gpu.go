// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/bench"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/cuda"
	"github.com/openledger/openledger/gpu/host"
)

func newGPUCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "gpu", Short: "Show, measure and test the devices of this machine", Args: cobra.NoArgs,
		Long: "Devices are this machine's CPU and its NVIDIA cards. Every one of them computes the same bits, or it is not used.",
	}
	cmd.AddCommand(newGPUListCmd(a), newGPUBenchCmd(a), newGPUSelfTestCmd(a))
	return cmd
}

// device is one line of gpu list.
type device struct {
	Index    int    `json:"index"` // -1 for the CPU
	Name     string `json:"name"`
	Backend  string `json:"backend"`
	Class    string `json:"class"`
	UUID     string `json:"uuid,omitempty"`
	Memory   uint64 `json:"memory"`           // bytes that may be used, 0 for as many as are needed
	Driver   int    `json:"driver,omitempty"` // version of its interface
	SelfTest string `json:"self_test"`        // passed, or why the device is off
}

type deviceList struct {
	Devices []device `json:"devices"`
	NoCards string   `json:"no_cards,omitempty"` // why there are none
}

func newGPUListCmd(a *app) *cobra.Command {
	var memory string
	cmd := &cobra.Command{
		Use: "list", Short: "List the devices, each tested", Args: cobra.NoArgs,
		Example: "  openledger gpu list\n  openledger gpu list --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := host.ParseMemory(memory, 1<<40); err != nil {
				return &exitError{exitUsage, err}
			}
			list, err := devices(cmd.Context(), memory)
			if err != nil {
				return err
			}
			return a.print(cmd, list, func(w io.Writer) { printDevices(w, list) })
		},
	}
	cmd.Flags().StringVar(&memory, "gpu-mem", "", "memory of each card to use, for example 8GiB or 50% (default 80%)")
	return cmd
}

func devices(ctx context.Context, memory string) (deviceList, error) {
	d, err := openCPU()
	if err != nil {
		return deviceList{}, err
	}
	defer d.Close()
	i := d.Info()
	list := deviceList{Devices: []device{{Index: -1, Name: i.Name, Backend: i.Backend, Class: i.Class, SelfTest: verdict(host.SelfTest(d, false))}}}
	exe, err := os.Executable()
	if err != nil {
		return list, err
	}
	cards, err := host.Cards(ctx, exe)
	if err != nil {
		list.NoCards = err.Error()
	}
	for _, c := range cards {
		list.Devices = append(list.Devices, tried(exe, c, memory))
	}
	return list, nil
}

func openCPU() (*cpu.Device, error) { return cpu.New(cpu.Options{Force: os.Getenv("OPENLEDGER_CPU")}) }

func verdict(err error) string {
	if err != nil {
		return err.Error()
	}
	return "passed"
}

// tried opens a card, which tests it.
func tried(exe string, c cuda.Card, memory string) device {
	n, err := host.ParseMemory(memory, c.Memory)
	out := device{Index: c.Index, Name: c.Name, Backend: "cuda", UUID: c.UUID, Memory: n, Driver: c.Driver}
	if err == nil {
		d, e := host.Open(exe, c.UUID, host.Limits{Memory: n, Share: 100})
		if err = e; err == nil {
			out.Class = d.Info().Class
			err = d.Close()
		}
	}
	out.SelfTest = verdict(err)
	return out
}

func printDevices(w io.Writer, list deviceList) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "card\tname\tclass\tmemory\tself-test")
	for _, d := range list.Devices {
		index, memory := strconv.Itoa(d.Index), fmt.Sprintf("%.1f GiB", float64(d.Memory)/(1<<30))
		if d.Index < 0 {
			index, memory = "-", "as needed"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", index, d.Name, d.Class, memory, shortened(d.SelfTest))
	}
	t.Flush()
	if list.NoCards != "" {
		fmt.Fprintf(w, "no cards: %s\n", list.NoCards)
	}
}

// shortened is the beginning of what a worker said; --output json has all of it.
func shortened(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > 200 {
		s = s[:200] + " …"
	}
	return s
}

// onDevice runs job on the CPU in this process, or asks a worker with flag for it
// on a card, and reads its answer.
func onDevice(ctx context.Context, which, flag string, answer any, job func(d *cpu.Device) error) error {
	if which == "cpu" {
		d, err := openCPU()
		if err != nil {
			return err
		}
		defer d.Close()
		return job(d)
	}
	exe, cards, err := chosenCards(ctx, which)
	if err != nil {
		return err
	}
	memory, err := host.ParseMemory("", cards[0].Memory)
	if err != nil {
		return err
	}
	return host.Ask(ctx, exe, answer, flag, "--device", cards[0].UUID, "--memory", strconv.FormatUint(memory, 10))
}

type selfTest struct {
	Device  string `json:"device"`
	Backend string `json:"backend"`
	Fault   string `json:"fault,omitempty"` // empty: passed
}

func testDevice(d gpu.Device, exhaustive bool) selfTest {
	r := selfTest{Device: d.Info().Name, Backend: d.Info().Backend}
	if err := host.SelfTest(d, exhaustive); err != nil {
		r.Fault = err.Error()
	}
	return r
}

func newGPUSelfTestCmd(a *app) *cobra.Command {
	var exhaustive bool
	var which string
	cmd := &cobra.Command{
		Use: "selftest", Short: "Compare a device with the definition of every operation", Args: cobra.NoArgs,
		Long:    "Exit code 1 if one bit differs. With --exhaustive many more cases, about a minute.",
		Example: "  openledger gpu selftest\n  openledger gpu selftest --device 0 --exhaustive",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r selfTest
			flag := "--selftest"
			if exhaustive {
				flag = "--exhaustive"
			}
			err := onDevice(cmd.Context(), which, flag, &r, func(d *cpu.Device) error {
				r = testDevice(d, exhaustive)
				return nil
			})
			if err != nil {
				return err
			}
			if r.Fault != "" {
				return &exitError{exitNo, fmt.Errorf("%s: %s", r.Device, r.Fault)}
			}
			return a.print(cmd, r, func(w io.Writer) {
				fmt.Fprintf(w, "%s (%s): every operation equals the definition, bit for bit\n", r.Device, r.Backend)
			})
		},
	}
	cmd.Flags().BoolVar(&exhaustive, "exhaustive", false, "many cases of each operation")
	cmd.Flags().StringVar(&which, "device", "cpu", "cpu, or the number or UUID of a card")
	return cmd
}

type benchResult struct {
	Rows []bench.Row `json:"rows"`
}

func newGPUBenchCmd(a *app) *cobra.Command {
	var which string
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure a device, beside the peak of its multiply-add units", Args: cobra.NoArgs,
		Long: "The peak is measured in the same run; a figure holds for this machine under its present load. Sizes are\n" +
			"halved until no operation takes longer than two seconds; the table says which they are.",
		Example: "  openledger gpu bench\n  openledger gpu bench --device 0 --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r benchResult
			err := onDevice(cmd.Context(), which, "--bench", &r, func(d *cpu.Device) (err error) {
				r.Rows, err = measured(d, d.Peak, bench.CPU)
				return err
			})
			if err != nil {
				return err
			}
			return a.print(cmd, r, func(w io.Writer) { printBench(w, r.Rows) })
		},
	}
	cmd.Flags().StringVar(&which, "device", "cpu", "cpu, or the number or UUID of a card")
	return cmd
}

func printBench(w io.Writer, rows []bench.Row) {
	if len(rows) > 0 {
		fmt.Fprintf(w, "%s (%s, %d threads)\n", rows[0].Device, rows[0].Backend, rows[0].Threads)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "operation\tshape\tµs\tGFLOP/s\tof peak\tGB/s\t")
	for _, r := range rows {
		share := "-"
		if r.OfPeak > 0 {
			share = fmt.Sprintf("%.2f", r.OfPeak)
		}
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%.1f\t%s\t%.1f\t\n", r.Name, r.Shape, r.Micros, r.Gflops, share, r.GBs)
	}
	t.Flush()
}
