// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAvailableIsWhatTheMachineOrItsGroupHasLeft(t *testing.T) {
	const machine = "MemTotal: 16000000 kB\nMemAvailable: 4000 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  uint64
	}{
		"a machine":                 {map[string]string{"meminfo": machine}, 4000 << 10},
		"nothing is known":          {nil, 8 << 30},
		"a group without a bound":   {map[string]string{"meminfo": machine, "memory.max": "max\n", "memory.current": "7\n"}, 4000 << 10},
		"a group with room":         {map[string]string{"meminfo": machine, "memory.max": "9000000\n", "memory.current": "7\n"}, 4000 << 10},
		"a group with a small rest": {map[string]string{"meminfo": machine, "memory.max": "1000\n", "memory.current": "700\n"}, 300},
		"a group full of files": {map[string]string{"meminfo": machine, "memory.max": "1000\n", "memory.current": "990\n",
			"memory.stat": "anon 90\nfile 900\ninactive_file 500\nactive_file 400\n"}, 910},
		"a group that is over": {map[string]string{"memory.max": "1000\n", "memory.current": "1200\n"}, 0},
	} {
		dir := t.TempDir()
		for file, text := range c.files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := available(filepath.Join(dir, "meminfo"), dir); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if Available() == 0 {
		t.Error("this machine has nothing left")
	}
}
