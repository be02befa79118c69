// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/openledger/openledger/testnet/compare/load"
	"github.com/openledger/openledger/testnet/compare/measure"
	"github.com/openledger/openledger/testnet/compare/ours"
)

// profileStep shows where the processor time of one of our nodes goes at the rate
// of the targets.
func (b *bench) profileStep(ctx context.Context) error {
	addr := fmt.Sprintf("127.0.0.1:%d", b.basePort+290)
	s := side{"openledger", func(ctx context.Context, dir string) (network, error) {
		plan := b.plan(dir)
		plan.Profiler = addr
		return ours.Start(ctx, plan)
	}}
	window := min(b.window, 20*time.Second)
	file := filepath.Join(b.dir, "node.pprof")
	return b.on(ctx, s, func(n network, p *load.Purse) error {
		failed := make(chan error, 1)
		go func() {
			if !sleep(ctx, load.Warm) {
				failed <- ctx.Err()
				return
			}
			failed <- fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", addr, int(window.Seconds())), file)
		}()
		rate := b.rates[0]
		r, err := b.load(ctx, s, n, p, shot{"profile", rate, batchOf(rate), window, everyNode})
		if err != nil {
			return err
		}
		if err := <-failed; err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		text, err := pprof(ctx, "-traces", file)
		if err != nil {
			return err
		}
		areas, err := measure.Areas(text)
		if err != nil {
			return err
		}
		for _, a := range areas {
			fmt.Fprintf(b.say, "  %7.0f µs per tx  %s\n", a.Cost.Seconds()*1e6/float64(r.Executed), a.Name)
		}
		b.areas, b.profiled = areas, r
		return nil
	})
}

// pprof runs Go's profile printer.
func pprof(ctx context.Context, how, file string) (string, error) {
	var said strings.Builder
	cmd := exec.CommandContext(ctx, "go", "tool", "pprof", how, file)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go tool pprof: %w: %s", err, said.String())
	}
	return string(out), nil
}

// fetch stores what url answers.
func fetch(ctx context.Context, url, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, resp.Body)
	if e := out.Close(); err == nil {
		err = e
	}
	return err
}
