// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cuda"
	"github.com/openledger/openledger/gpu/fakecuda"
)

// This test binary is also the worker that lists cards.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Command {
		cards, err := cuda.Cards()
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(cards)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A driver that lists its card, that does not start, and that never answers.
func TestGPU07DriversAreAskedInAProcessOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	if err := fakecuda.Build(dir); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LD_LIBRARY_PATH", dir)
	cards, err := Cards(t.Context(), os.Args[0])
	if err != nil || len(cards) != 1 || cards[0].Name != "fake device 0" {
		t.Fatal(cards, err)
	}
	t.Setenv(fakecuda.InitCode, "803")
	if _, err := Cards(t.Context(), os.Args[0]); err == nil || !strings.Contains(err.Error(), "restart the machine") {
		t.Errorf("a driver of two versions: %v", err)
	}
	t.Setenv(fakecuda.InitCode, "-1")
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	if _, err := Cards(ctx, os.Args[0]); !errors.Is(err, gpu.ErrDeadline) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("a driver that hangs: %v", err)
	}
}
