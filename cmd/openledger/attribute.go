// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/poa"
)

// The offline commands of CLI-05: no node, no home, no account. Each prints one
// JSON object with a fixed key order, whatever --output says.

func newAttributeCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "attribute",
		Short: "Say whose data made a model good, offline",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(newAttributeKNNCmd(), newAttributeGameCmd())
	return c
}

// readOffline reads a whole input file. A file that cannot be read is bad input.
func readOffline(flag, path string) ([]byte, error) {
	if path == "" {
		return nil, usage("--%s FILE is missing", flag)
	}
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		var b []byte
		if b, err = io.ReadAll(io.LimitReader(f, table.MaxBytes+1)); err == nil {
			if len(b) > table.MaxBytes {
				return nil, usage("%s: larger than %d bytes", path, table.MaxBytes)
			}
			return b, nil
		}
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return nil, usage("%s: %v", path, err)
}

// inFile makes a fault in an input file exit 2, with the name of the file.
func inFile(path string, err error) error {
	var at *poa.ScanError
	if errors.As(err, &at) {
		return usage("%s:%v", path, at)
	}
	return usage("%s: %v", path, err)
}

// offlineProgress returns a function that reports done of all on a terminal.
func offlineProgress(cmd *cobra.Command) func(what string, done, all int) {
	quiet, _ := cmd.Flags().GetBool("quiet")
	f, ok := cmd.ErrOrStderr().(*os.File)
	if quiet || !ok || !term.IsTerminal(int(f.Fd())) {
		return func(string, int, int) {}
	}
	shown := -1
	return func(what string, done, all int) {
		percent := done * 100 / max(all, 1)
		if percent == shown {
			return
		}
		shown = percent
		if done == all {
			fmt.Fprint(f, "\r\x1b[K")
			return
		}
		fmt.Fprintf(f, "\r%s %d%%", what, percent)
	}
}

// jsonLine builds one JSON object with its keys in the order of the calls.
type jsonLine struct{ b []byte }

func (j *jsonLine) key(name string) {
	if len(j.b) == 0 {
		j.b = append(j.b, '{')
	} else {
		j.b = append(j.b, ',')
	}
	j.b = strconv.AppendQuote(j.b, name)
	j.b = append(j.b, ':')
}

// raw adds a key with the text of a JSON value.
func (j *jsonLine) raw(name, value string) {
	j.key(name)
	j.b = append(j.b, value...)
}

// list adds a key with n values, each given as text.
func (j *jsonLine) list(name string, n int, value func(i int) string) {
	j.key(name)
	j.b = append(j.b, '[')
	for i := range n {
		if i > 0 {
			j.b = append(j.b, ',')
		}
		j.b = append(j.b, value(i)...)
	}
	j.b = append(j.b, ']')
}

// rats adds a key with the shortest binary64 text of each number, null for nil.
func (j *jsonLine) rats(name string, x []*big.Rat) {
	j.list(name, len(x), func(i int) string { return ratText(x[i]) })
}

func (j *jsonLine) writeTo(w io.Writer) error {
	_, err := w.Write(append(j.b, "}\n"...))
	return err
}

// ratText rounds once, to the nearest binary64, and prints its shortest text.
func ratText(x *big.Rat) string {
	if x == nil {
		return "null"
	}
	f, _ := x.Float64()
	return table.Shortest(f)
}
