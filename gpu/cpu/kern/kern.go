// SPDX-License-Identifier: Apache-2.0

package kern

import (
	"errors"
	"fmt"
	"strings"
)

// ErrPath reports a forced path that this machine cannot run or that does not
// exist.
var ErrPath = errors.New("CPU path not available")

// Path is an instruction set for which kernels exist.
type Path uint8

// The paths, each faster than the one before.
const (
	Ref    Path = iota // plain Go
	AVX2               // AVX2 and FMA
	AVX512             // AVX-512 F, VL and BW
)

// String returns ref, avx2 or avx512.
func (p Path) String() string { return [...]string{"ref", "avx2", "avx512"}[p] }

// CPU is a path with the kernels that belong to it. The zero value runs plain
// Go. It is a small value, safe for concurrent use. Spec: GPU-03.
type CPU struct {
	path Path
	vnni bool // AVX-512 VNNI: int8 products without widening
}

// Path returns the path.
func (c CPU) Path() Path { return c.path }

// Detect returns the fastest path of this machine, or the one named by force:
// ref, avx2 or avx512 (the environment variable OPENLEDGER_CPU); empty means
// none. Errors: ErrPath. Spec: GPU-03.
func Detect(force string) (CPU, error) {
	paths := Paths()
	if force == "" {
		return paths[len(paths)-1], nil
	}
	var names []string
	for _, c := range paths {
		if c.path.String() == force {
			return c, nil
		}
		names = append(names, c.path.String())
	}
	return CPU{}, fmt.Errorf("%w: OPENLEDGER_CPU=%s, this machine has %s", ErrPath, force, strings.Join(names, ", "))
}

// Paths returns every path that this machine runs, the fastest last.
func Paths() []CPU { return append([]CPU{{}}, machine()...) }

// width returns the 32-bit lanes of a vector: 8 or 16, or 1 in plain Go.
func (c CPU) width() int { return [...]int{1, 8, 16}[c.path] }
