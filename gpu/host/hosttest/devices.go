// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cpu"
	"github.com/openledger/openledger/gpu/ref"
)

// card opens a card behind a worker; nil without build tag cuda.
var card func(t *testing.T) (string, gpu.Device)

// Devices are all that this machine has, by name. The reference and the plain path
// of gpu/cpu run everywhere.
func Devices(t *testing.T) map[string]gpu.Device {
	t.Helper()
	out := map[string]gpu.Device{"reference": ref.New(1 << 28)}
	for _, path := range []string{"ref", "avx2", "avx512"} {
		d, err := cpu.New(cpu.Options{Force: path, Threads: 2})
		if err != nil && path == "ref" {
			t.Fatal(err)
		}
		if err == nil {
			out["cpu "+path] = d
		}
	}
	if card != nil {
		name, d := card(t)
		out[name] = d
	}
	return out
}
