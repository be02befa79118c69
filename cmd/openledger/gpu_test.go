// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/openledger/openledger/node/config"
)

func gpuCommand(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(append(args, "--home", t.TempDir()), strings.NewReader(""), &out, &errs)
	return out.String() + errs.String(), code
}

func TestGPU11SelfTestAndListOfTheCPU(t *testing.T) {
	out, code := gpuCommand(t, "gpu", "selftest", "--output", "json")
	var r selfTest
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || r.Backend != "cpu" || r.Fault != "" {
		t.Fatalf("%d %s %v", code, out, err)
	}
}

func TestGPU11BadFlagsAreUsage(t *testing.T) {
	for _, args := range [][]string{{"gpu", "list", "--gpu-mem", "8GB"}, {"gpu", "bench", "--device", "first"}} {
		if out, code := gpuCommand(t, args...); code != exitUsage {
			t.Errorf("%v: code %d, %s", args, code, out)
		}
	}
}

// The flags of a node's cards overrule its settings, and a bad one is said before
// anything starts.
func TestGPU10FlagsOfTheNodesCards(t *testing.T) {
	for _, args := range [][]string{{"--gpu", "on"}, {"--gpu", "0,0"}, {"--gpu-mem", "8GB"}, {"--gpu-share", "0%"}, {"--gpu-schedule", "22-7"}, {"--gpu-max-temp", "7"}} {
		out, code := gpuCommand(t, append([]string{"node"}, args...)...)
		if code == 0 || !strings.Contains(out, args[1]) {
			t.Errorf("%v: code %d, %s", args, code, out)
		}
	}
	cmd := newNodeCmd(&app{})
	c := config.GPU{Devices: "1", Memory: "2GiB", Share: "10%", Schedule: "01:00-02:00", MaxTemp: 60}
	f := nodeFlags{gpu: config.GPU{Devices: "auto", Memory: "80%", Share: "100%", MaxTemp: 83}}
	if f.cards(cmd, &c); c != (config.GPU{Devices: "1", Memory: "2GiB", Share: "10%", Schedule: "01:00-02:00", MaxTemp: 60}) {
		t.Errorf("flags that were not given change settings: %+v", c)
	}
	if err := cmd.ParseFlags([]string{"--gpu=auto", "--gpu-mem=80%", "--gpu-share=100%", "--gpu-schedule=", "--gpu-max-temp=83"}); err != nil {
		t.Fatal(err)
	}
	if f.cards(cmd, &c); c != f.gpu {
		t.Errorf("%+v, want %+v", c, f.gpu)
	}
}
