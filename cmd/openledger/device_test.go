// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/ref"
)

// card is a reference device that says it is one.
type card struct{ gpu.Device }

func (card) Info() gpu.Info { return gpu.Info{Name: "some card", Backend: "cuda"} }

// What is left of a run that ended in an error on a card: the state that it saved, the
// one before the run, or none; and the error says how to go on.
func TestGPU08WhatAFailedCardLeaves(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after string // the state, "" for none
		err           error
		left, says    string
	}{
		{"lost, something was saved", "", "new", gpu.ErrLost, "new", "the same command goes on from there, also with --device cpu"},
		{"lost, resumed", "old", "", gpu.ErrDeadline, "old", "the same command goes on from there"},
		{"lost, nothing was saved", "", "", gpu.ErrLost, "", "nothing was saved"},
		{"wrong", "", "new", gpu.ErrWrong, "", "use nothing that it computed"},
		{"wrong, resumed", "old", "new", gpu.ErrWrong, "old", "use nothing that it computed"},
		{"wrong, resumed, not yet saved", "old", "", gpu.ErrWrong, "old", "use nothing that it computed"},
		{"of another kind", "old", "new", errors.New("disk full"), "new", "disk full"},
		{"well", "old", "new", nil, "new", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, stateFile)
			save := func(text string) {
				if text == "" {
					return
				}
				if err := errors.Join(os.WriteFile(file+".part", []byte(text), 0o600), os.Rename(file+".part", file)); err != nil {
					t.Fatal(err)
				}
			}
			save(c.before)
			err := onState(card{ref.New(1 << 10)}, dir, func() error {
				save(c.after)
				if c.err == nil {
					return nil
				}
				return fmt.Errorf("step 3: %w", c.err)
			})
			if !errors.Is(err, c.err) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v", err)
			}
			got, _ := os.ReadFile(file)
			list, _ := os.ReadDir(dir)
			if string(got) != c.left || len(list) > 1 {
				t.Errorf("left: %q in %v, want %q", got, list, c.left)
			}
		})
	}
}
