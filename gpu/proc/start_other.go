// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package proc

import (
	"errors"
	"os"
	"time"
)

// ErrSystem means that workers run on Linux only.
var ErrSystem = errors.New("device workers need Linux")

// Worker is the process to start.
type Worker struct {
	Path     string
	Args     []string
	Env      []string
	Deadline time.Duration // of one call
}

// Start always fails with ErrSystem on this system.
func Start(Worker) (*Device, error) { return nil, ErrSystem }

// Files always fails with ErrSystem on this system.
func Files() (requests, replies *os.File, shared []byte, err error) {
	return nil, nil, nil, ErrSystem
}
