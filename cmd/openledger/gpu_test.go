// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
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
