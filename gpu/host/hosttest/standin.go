// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

package hosttest

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cuda"
	"github.com/openledger/openledger/gpu/fakecuda"
	"github.com/openledger/openledger/gpu/host"
)

// Main runs the tests of a binary, or makes it the process that lists cards, or the
// worker that holds one, as serve does; host.Work, for example.
func Main(m *testing.M, serve func(uuid string, l host.Limits) error) {
	if len(os.Args) > 1 && os.Args[1] == host.Command {
		if err := work(os.Args[2:], serve); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func work(args []string, serve func(uuid string, l host.Limits) error) error {
	f := flag.NewFlagSet(host.Command, flag.ContinueOnError)
	list, heat := f.Bool("list", false, ""), f.Bool("temperature", false, "")
	uuid, memory, share := f.String("device", "", ""), f.Uint64("memory", 0, ""), f.Uint64("share", 100, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	switch {
	case *list:
		found, err := cuda.Cards()
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(found)
	case *heat:
		t, err := cuda.Temperature(*uuid)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(t)
	}
	return serve(*uuid, host.Limits{Memory: *memory, Share: *share})
}

func init() {
	card = func(t *testing.T) (string, gpu.Device) {
		name := "card"
		if os.Getenv("OPENLEDGER_TEST_CARD") == "" { // make gpu wants a real one
			dir := t.TempDir()
			if err := fakecuda.Build(dir); err != nil {
				t.Fatal(err)
			}
			t.Setenv("LD_LIBRARY_PATH", dir)
			name = "stand-in driver"
		}
		found, err := host.Cards(t.Context(), os.Args[0])
		if err != nil || len(found) == 0 {
			t.Fatal(found, err)
		}
		d, err := host.Open(os.Args[0], found[0].UUID, host.Limits{Memory: 1 << 24, Share: 100})
		if err != nil {
			t.Fatal(err)
		}
		return name + " (" + d.Info().Name + ")", d
	}
}
