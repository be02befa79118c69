// SPDX-License-Identifier: Apache-2.0

// Gen writes the assembly of package kern and its declarations.
//
// Run "make kernels" after a change; "make kernels-check" fails if the files in
// the tree are not what this program writes.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// selfMove is what is left of a copy whose two registers became one.
var selfMove = regexp.MustCompile(`(?m)^\tVMOVUPS +(` + selfPairs() + `)$\n`)

func main() {
	dir := flag.String("dir", "..", "folder of package kern")
	check := flag.Bool("check", false, "compare instead of writing")
	flag.Parse()
	if err := run(*dir, *check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string, check bool) error {
	files := map[string][]byte{}
	for name, write := range map[string]func(isa){"elem": elems, "gemm": gemms, "red": reds} {
		for _, s := range both(nil) {
			text, err := assemble(s, write)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			files[fmt.Sprintf("%s_%s_amd64.s", name, map[bool]string{true: "avx512", false: "avx2"}[s.z])] = text
		}
	}
	for name, text := range map[string]string{"elem_amd64.go": elemGo(), "op.go": opsGo()} {
		b, err := format.Source([]byte(text))
		if err != nil {
			return err
		}
		files[name] = b
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if !check {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				return err
			}
			continue
		}
		old, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(old, text) {
			return fmt.Errorf("%s is not what the generator writes; run make kernels", path)
		}
	}
	return nil
}

// assemble runs write on a fresh file of one instruction set.
func assemble(s isa, write func(isa)) ([]byte, error) {
	s.Context = build.NewContext()
	clear(consts)
	write(s)
	f, err := s.Result()
	if err != nil {
		return nil, err
	}
	if err := pass.Compile.Execute(f); err != nil {
		return nil, err
	}
	text, err := printer.NewGoAsm(printer.Config{Name: "gpu/cpu/kern/gen", Pkg: "kern"}).Print(f)
	text = selfMove.ReplaceAll(text, nil)
	return append([]byte("// SPDX-License-Identifier: Apache-2.0\n\n"), text...), err
}

// selfPairs lists every vector register with itself; the regular expressions
// of Go have no back references.
func selfPairs() string {
	var p []string
	for i := range 32 {
		p = append(p, fmt.Sprintf("[YZ]%d, [YZ]%d", i, i))
	}
	return strings.Join(p, "|")
}
