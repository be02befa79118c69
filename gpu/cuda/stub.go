// SPDX-License-Identifier: Apache-2.0

//go:build !(cuda && linux && (amd64 || arm64))

package cuda

import "github.com/openledger/openledger/gpu"

// Cards always fails with ErrBuild in this build.
func Cards() ([]Card, error) { return nil, ErrBuild }

// Temperature always fails with ErrBuild in this build.
func Temperature(string) (int, error) { return 0, ErrBuild }

// Open always fails with ErrBuild in this build.
func Open(Card, uint64) (gpu.Device, error) { return nil, ErrBuild }
