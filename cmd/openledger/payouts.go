// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/rpc/api"
)

func newPayoutsCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "payouts [ADDRESS]", Short: "Show what paid answers owe an account", Args: cobra.MaximumNArgs(1),
		Long: "Asks every operator with commits on the ledger what its receipts owe the account (default: that of the home's key).\n" +
			"`openledger claim` takes what is open, `openledger why` checks an amount.",
		Example: "  openledger payouts open1…",
		RunE: func(cmd *cobra.Command, args []string) error {
			who, err := a.account(args)
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context) error {
				p, err := a.client().AccountPayouts(ctx, api.AccountParams{Address: who})
				if err != nil {
					return err
				}
				return a.print(cmd, p, func(w io.Writer) { printPayouts(w, p) })
			})
		},
	}
}

func printPayouts(w io.Writer, p api.AccountPayouts) {
	for _, it := range p.Items {
		word := "waits for its window"
		switch {
		case it.Claimed:
			word = "received"
		case it.Settled:
			word = "open"
		}
		fmt.Fprintf(w, "%s  epoch %d  %s  %s\n", it.Commit, it.Epoch, it.Amount, word)
	}
	fmt.Fprintf(w, "received %s  open %s\n", p.Claimed, p.Open)
	for _, u := range p.Unreachable {
		fmt.Fprintf(w, "operator %s does not answer; what it owes is not listed\n", u)
	}
}
