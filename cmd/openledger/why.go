// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/proof"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// reasons is the answer of `why`.
type reasons struct {
	Account keys.Address `json:"account"`
	Commit  api.Hash     `json:"commit"`
	Amount  fixed.Amount `json:"amount"`
	Terms   []reason     `json:"terms"`
	Bundle  string       `json:"bundle,omitempty"`
	Trusted string       `json:"trusted"` // where trust began
	verified
}

// reason is one receipt's part: Amount is Weight of 2^40 of Contributors, which
// is what PAY-01 leaves of Gross for the contributors.
type reason struct {
	Receipt      uint64       `json:"receipt"`
	Channel      api.Hash     `json:"channel"`
	Nonce        uint64       `json:"nonce"`
	Gross        fixed.Amount `json:"gross"`
	Contributors fixed.Amount `json:"contributors"`
	Weight       uint64       `json:"weight,string"`
	Amount       fixed.Amount `json:"amount"`
}

func newWhyCmd(a *app) *cobra.Command {
	var owner, file string
	var f trustFlags
	cmd := &cobra.Command{
		Use: "why COMMIT", Short: "Show why an account is paid what it is paid, every term recomputed here", Args: cobra.ExactArgs(1),
		Long: "Fetches a self-contained statement and checks it on this machine: certificate, commit, receipts, weights, split and sum.\n" +
			"Without --header, --set or --genesis trust begins with the genesis that the node names.",
		Example: "  openledger why 0x… --owner open1… --bundle why.json --genesis join.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := api.ParseHash(args[0])
			if err != nil {
				return usage("%v", err)
			}
			var who []string
			if owner != "" {
				who = []string{owner}
			}
			account, err := a.account(who)
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context) error {
				c := a.client()
				got, err := c.PoaWhy(ctx, api.WhyParams{Account: account, Commit: id})
				if err != nil {
					return err
				}
				st, err := proof.DecodeWhy(got.Statement)
				if err != nil {
					return &exitError{exitNo, fmt.Errorf("the operator sent no statement: %w", err)}
				}
				t, from, err := a.trustOrNode(ctx, c, f, st.Epoch())
				if err != nil {
					return err
				}
				return a.explain(cmd, st, account, id, t, from, file)
			})
		},
	}
	cmd.Flags().StringVar(&owner, "owner", "", "account that is paid (default: that of the home's key)")
	cmd.Flags().StringVar(&file, "bundle", "", "store the statement here, for `openledger verify payout`")
	f.bind(cmd)
	return cmd
}

// trustOrNode is what the flags trust, or else the node's genesis.
func (a *app) trustOrNode(ctx context.Context, c *client.Client, f trustFlags, epoch uint64) (proof.Trust, string, error) {
	t, err := f.trust(ctx, a, epoch)
	if err != nil || f != (trustFlags{}) {
		return t, "what you gave", err
	}
	g, err := c.ChainGenesis(ctx, api.Empty{})
	if err != nil {
		return t, "", err
	}
	doc, err := genesis.Decode(g.Bytes)
	if err != nil {
		return t, "", err
	}
	t, err = a.genesisTrust(ctx, doc, epoch, "")
	return t, "the genesis that the node names", err
}

// explain checks a statement and prints its terms.
func (a *app) explain(cmd *cobra.Command, st proof.Why, account keys.Address, id api.Hash, t proof.Trust, from, file string) error {
	var err error
	report, failed := st.Verify(t)
	if errors.Is(failed, proof.ErrTrust) {
		return usage("%v", failed)
	}
	commit, _ := st.CommitID()
	if failed == nil && (st.Payee != account || api.Hash(commit) != id) {
		failed = fmt.Errorf("%w: the statement is about another account or commit", proof.ErrFalse)
	}
	out := reasons{Account: account, Commit: id, Terms: []reason{}, Trusted: from, verified: newVerified(report, failed)}
	if failed == nil {
		if out.Amount, out.Terms, err = termsOf(st); err != nil {
			return err
		}
	}
	if file != "" {
		b, err := json.MarshalIndent(st, "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
			return usage("--bundle: %v", err)
		}
		out.Bundle = file
	}
	err = a.print(cmd, out, func(w io.Writer) { printReasons(w, out, report) })
	if err == nil && failed != nil {
		err = &exitError{exitNo, failed}
	}
	return err
}

// termsOf lists the terms of a verified statement.
func termsOf(st proof.Why) (fixed.Amount, []reason, error) {
	var c receipt.Commit
	if err := enc.Decode(*st.Commit.Value, &c); err != nil {
		return 0, nil, err
	}
	var list []reason
	for i, l := range st.Lines {
		r := st.Receipts[i].Signed.Receipt
		split, err := econ.SplitGross(r.Gross, c.Price, c.Rates)
		if err != nil {
			return 0, nil, err
		}
		list = append(list, reason{Receipt: l.Receipt, Channel: api.Hash(r.Channel), Nonce: r.Nonce, Gross: r.Gross,
			Contributors: split.Contributors, Weight: r.Attr[l.Attr].Weight, Amount: l.Amount})
	}
	sum, err := st.Amount()
	return sum, list, err
}

func printReasons(w io.Writer, out reasons, r proof.Report) {
	if out.Valid {
		fmt.Fprintf(w, "%s = %d receipts; every term recomputed: equal\n", out.Amount, len(out.Terms))
		for _, t := range out.Terms {
			fmt.Fprintf(w, "  receipt %-4d paid %s, contributors' part %s × %s = %s\n", t.Receipt, t.Gross, t.Contributors, percent(t.Weight), t.Amount)
		}
	}
	printVerified(w, r, out.verified)
	fmt.Fprintf(w, "trust begins with %s\n", out.Trusted)
}
