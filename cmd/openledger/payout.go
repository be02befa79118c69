// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/poa"
	"github.com/openledger/openledger/poa/payout"
)

func newPayoutCmd() *cobra.Command {
	var weights, pool string
	c := &cobra.Command{
		Use:   "payout --weights w.json --pool N",
		Short: "Split a pool by weights, exactly, offline",
		Long: `Whole-number payouts in proportion to weights: largest remainders, ties to the
lower index. The file holds [w, ...], {"weights": [w, ...]} or {"owner": w, ...};
a negative weight counts as 0 and its index is listed in "clipped".`,
		Example: "  openledger payout --weights w.json --pool 1000000000",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runPayout(weights, pool, cmd.OutOrStdout())
		},
	}
	c.Flags().StringVar(&weights, "weights", "", "JSON file of weights")
	c.Flags().StringVar(&pool, "pool", "", "what to split, a whole number of base units")
	return c
}

// runPayout is the command without its flags. Spec: OFF-01, SHR-01, SHR-02.
func runPayout(path, pool string, out io.Writer) error {
	n, err := parsePool(pool)
	if err != nil {
		return err
	}
	text, err := readOffline("weights", path)
	if err != nil {
		return err
	}
	f, err := payout.ParseFile(text)
	if err != nil {
		return inFile(path, err)
	}
	s := f.Divide(n)
	var j jsonLine
	j.list("payouts", len(s.Payouts), func(i int) string { return s.Payouts[i].String() })
	j.raw("total", s.Total.String())
	j.raw("unallocated", s.Unallocated.String())
	j.list("clipped", len(s.Clipped), func(i int) string { return strconv.Itoa(s.Clipped[i]) })
	if f.Owners != nil {
		j.list("owners", len(f.Owners), func(i int) string { return jsonText(f.Owners[i]) })
	}
	return j.writeTo(out)
}

// parsePool reads a whole number ≥ 0 of any size that a number may have.
func parsePool(text string) (*big.Int, error) {
	if text == "" {
		return nil, usage("--pool N is missing")
	}
	n, ok := new(big.Int).SetString(text, 10)
	if len(text) > poa.MaxDigits || !ok || strings.Trim(text, "0123456789") != "" {
		return nil, usage("--pool %.24q: must be a whole number of base units, at least 0", text)
	}
	return n, nil
}

func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}

func ratOf(x *big.Int) *big.Rat { return new(big.Rat).SetInt(x) }
