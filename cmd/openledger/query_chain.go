// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/rpc/api"
)

func newQueryHeadCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "head", Short: "Show the newest final block", Args: cobra.NoArgs,
		Example: "  openledger query head",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return query(a, cmd, a.client().ChainHead, api.Empty{}, func(w io.Writer, h api.ChainHead) {
				fmt.Fprintf(w, "height %d  %s  epoch %d\nhash %s\nstate root %s\n", h.Height, when(h.TimeMS), h.Epoch, h.Hash, h.StateRoot)
			})
		},
	}
}

// when prints milliseconds of the chain's clock.
func when(ms uint64) string {
	return time.UnixMilli(int64(ms)).UTC().Format("2006-01-02T15:04:05.000Z")
}

func height(arg string) (api.HeightParams, error) {
	h, err := strconv.ParseUint(arg, 10, 64)
	if err != nil {
		return api.HeightParams{}, usage("%q is no height", arg)
	}
	return api.HeightParams{Height: h}, nil
}

func newQueryHeaderCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "header HEIGHT", Short: "Show a final header and who signed it", Args: cobra.ExactArgs(1),
		Example: "  openledger query header 1 --output json",
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := height(args[0])
			if err != nil {
				return err
			}
			return query(a, cmd, a.client().ChainHeader, p, printHeader)
		},
	}
}

func printHeader(w io.Writer, h api.ChainHeader) {
	fmt.Fprintf(w, "height %d  view %d  leader %d  %s\nhash %s\nparent %s\nstate root %s  (after the parent)\nreceipts root %s\nsigned by %v\n",
		h.Height, h.View, h.Leader, when(h.TimeMS), h.Hash, h.Parent, h.StateRoot, h.Receipts, h.Signers)
}

func newQueryBlockCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "block HEIGHT", Short: "Show a final block with its transactions", Args: cobra.ExactArgs(1),
		Example: "  openledger query block 1",
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := height(args[0])
			if err != nil {
				return err
			}
			return query(a, cmd, a.client().ChainBlock, p, func(w io.Writer, b api.ChainBlock) {
				printHeader(w, b.ChainHeader)
				for _, t := range b.Txs {
					fmt.Fprintf(w, "  %s  %-18s %s\n", t.TxID, t.Kind, t.Sender)
				}
				fmt.Fprintf(w, "%d transactions\n", len(b.Txs))
			})
		},
	}
}

func newQueryParamsCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "params", Short: "Show the parameters of the ledger", Args: cobra.NoArgs,
		Example: "  openledger query params",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return query(a, cmd, a.client().ChainParams, api.Empty{}, func(w io.Writer, p api.ChainParams) {
				for _, x := range p.Items {
					fmt.Fprintf(w, "%s = %s\n", x.Name, x.Value)
				}
			})
		},
	}
}

func newQuerySupplyCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "supply", Short: "Show where every unit of OPEN is", Args: cobra.NoArgs,
		Example: "  openledger query supply",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context) error {
				s, err := a.client().ChainSupply(ctx, api.Empty{})
				if err != nil {
					return err
				}
				if err := a.print(cmd, s, func(w io.Writer) { printSupply(w, s) }); err != nil {
					return err
				}
				if sum, err := supplySum(s); err != nil || sum != s.Total || !s.Equal {
					return &exitError{exitNo, fmt.Errorf("the parts do not add up to the supply at height %d", s.Height)}
				}
				return nil
			})
		},
	}
}

func supplySum(s api.ChainSupply) (fixed.Amount, error) {
	sum := s.Free
	for _, m := range s.Modules {
		var err error
		if sum, err = fixed.Add(sum, m.Amount); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

func printSupply(w io.Writer, s api.ChainSupply) {
	fmt.Fprintf(w, "supply %s at height %d =\n  %-20s %s\n", s.Total, s.Height, "accounts", s.Free)
	for _, m := range s.Modules {
		fmt.Fprintf(w, "  %-20s %s\n", m.Name, m.Amount)
	}
	fmt.Fprintln(w, map[bool]string{true: "(equal)", false: "(NOT EQUAL)"}[s.Equal])
}

func newQueryValidatorsCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "validators", Short: "Show the validators", Args: cobra.NoArgs,
		Example: "  openledger query validators",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return query(a, cmd, a.client().ChainValidators, api.Empty{}, func(w io.Writer, v api.ChainValidators) {
				for _, x := range v.Items {
					fmt.Fprintf(w, "%-3d %s  power %d  key %s\n", x.Index, x.Address, x.Power, x.Key)
				}
			})
		},
	}
}

func newQueryGenesisCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "genesis", Short: "Print the genesis document of the node's chain", Args: cobra.NoArgs,
		Example: "  openledger query genesis",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return query(a, cmd, a.client().ChainGenesis, api.Empty{}, func(w io.Writer, g api.ChainGenesis) {
				fmt.Fprintf(w, "%s\nchain %s\n", g.JSON, g.Chain)
			})
		},
	}
}

func newQueryEventsCmd(a *app) *cobra.Command {
	var from, account string
	var topics []string
	var limit int
	cmd := &cobra.Command{
		Use: "events", Short: "Print what happened on the ledger, in order, one event per line", Args: cobra.NoArgs,
		Long:    "Prints events after --from, which is exclusive: the cursor of the last event seen. Topics: head, tx, task, check, dataset, model, payout, channel.",
		Example: "  openledger query events --topics dataset,model\n  openledger query events --from 120.3 --limit 10 --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := api.EventsParams{Topics: topics, Limit: limit}
			if limit < 1 || limit > 1_000 {
				return usage("--limit must be 1..1000")
			}
			if from != "" {
				if _, err := fmt.Sscanf(from+"\n", "%d.%d\n", &p.From.Height, &p.From.Seq); err != nil {
					return usage("--from %q: write HEIGHT.SEQ", from)
				}
			}
			if account != "" {
				address, err := keys.ParseAddress(account)
				if err != nil {
					return err
				}
				p.Account = &address
			}
			return a.printEvents(cmd, p)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "cursor HEIGHT.SEQ of the last event seen (default: the first block)")
	cmd.Flags().StringSliceVar(&topics, "topics", nil, "only these topics")
	cmd.Flags().StringVar(&account, "account", "", "only events that name this address")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many events")
	return cmd
}

// printEvents reads pages until there are enough events or no more. JSON is one
// event per line.
func (a *app) printEvents(cmd *cobra.Command, p api.EventsParams) error {
	return a.call(cmd, func(ctx context.Context) error {
		for left := p.Limit; left > 0; p.Limit = left {
			page, err := a.client().ChainEvents(ctx, p)
			if err != nil {
				return err
			}
			for _, e := range page.Items {
				if err := a.printEvent(cmd, e); err != nil {
					return err
				}
			}
			if left -= len(page.Items); page.Next == p.From {
				return nil
			}
			p.From = page.Next
		}
		return nil
	})
}

func (a *app) printEvent(cmd *cobra.Command, e api.Event) error {
	return a.print(cmd, e, func(w io.Writer) {
		fmt.Fprintf(w, "%d.%d  %-8s %s", e.Height, e.Seq, e.Topic, e.Name)
		for _, id := range e.IDs {
			fmt.Fprintf(w, "  %.12s…", id)
		}
		for _, x := range e.Amounts {
			fmt.Fprintf(w, "  %s", x)
		}
		fmt.Fprintln(w)
	})
}
