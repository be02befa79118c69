// SPDX-License-Identifier: Apache-2.0

//go:build kerngen

package gen

import (
	"fmt"
	"go/format"
	"regexp"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// selfMove is what is left of a copy whose two registers became one.
var selfMove = regexp.MustCompile(`(?m)^\tVMOVUPS +(` + selfPairs() + `)$\n`)

// Files returns every generated file of package kern by its name.
func Files() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, write := range map[string]func(isa){"elem": elems, "gemm": gemms, "red": reds, "int8": int8s, "fill": fills, "few": fews} {
		for _, s := range both(nil) {
			text, err := assemble(s, write)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			files[fmt.Sprintf("%s_%s_amd64.s", name, strings.ToLower(s.suffix))] = text
		}
	}
	for name, text := range map[string]string{"elem_amd64.go": elemGo(), "op.go": opsGo()} {
		b, err := format.Source([]byte(text))
		if err != nil {
			return nil, err
		}
		files[name] = b
	}
	return files, nil
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
