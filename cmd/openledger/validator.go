// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
)

func newValidatorCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "validator", Short: "Become a validator, and look at those that are registered", Args: cobra.NoArgs,
		Long: "A validator is an account with a self bond and the vote key of its node. Register it, keep the node running with both keys, and it\n" +
			"enters the set two epochs later: the node says each epoch that it is ready.",
	}
	cmd.AddCommand(newValidatorRegisterCmd(a), newValidatorEditCmd(a), newValidatorUnjailCmd(a), newValidatorResumeCmd(a), newValidatorListCmd(a))
	return cmd
}

func newValidatorRegisterCmd(a *app) *cobra.Command {
	var bond, name string
	var commission uint64
	cmd := &cobra.Command{
		Use: "register", Short: "Register the account of --from with the vote key of --home", Args: cobra.NoArgs,
		Example: "  openledger keys new validator --home v5\n  openledger validator register --bond 10000 --commission 500 --from alice --home v5",
		RunE: func(cmd *cobra.Command, _ []string) error {
			amount, err := fixed.ParseAmount(bond)
			if err != nil {
				return err
			}
			if commission > tx.MaxCommission {
				return usage("--commission %d, at most %d basis points", commission, tx.MaxCommission)
			}
			account, err := a.signer(cmd)
			if err != nil {
				return err
			}
			vote, err := a.unlockNamed(cmd, name)
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context) error {
				c := a.client()
				s, err := c.NodeStatus(ctx, api.Empty{})
				if err != nil {
					return err
				}
				p := tx.NewValidatorRegister(s.Chain, keys.SingleAuth(account.Public()).Address(), vote, commission, amount)
				done, err := c.Send(ctx, account, p)
				if err != nil {
					return err
				}
				return a.print(cmd, done, func(w io.Writer) { printFinal(w, done) })
			})
		},
	}
	cmd.Flags().StringVar(&bond, "bond", "", "self bond in OPEN (required)")
	cmd.Flags().Uint64Var(&commission, "commission", 500, "basis points of the rewards that the validator keeps first")
	cmd.Flags().StringVar(&name, "key", "validator", "name of the vote key in --home")
	_ = cmd.MarkFlagRequired("bond")
	return cmd
}

func newValidatorEditCmd(a *app) *cobra.Command {
	var commission uint64
	cmd := &cobra.Command{
		Use: "edit", Short: "Change the commission, by at most 100 basis points per epoch", Args: cobra.NoArgs,
		Example: "  openledger validator edit --commission 450 --from alice",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.signAndSend(cmd, &tx.ValidatorEdit{Commission: commission})
		},
	}
	cmd.Flags().Uint64Var(&commission, "commission", 0, "basis points (required)")
	_ = cmd.MarkFlagRequired("commission")
	return cmd
}

func newValidatorUnjailCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "unjail", Short: "Let a jailed validator run again when its time is over", Args: cobra.NoArgs,
		Example: "  openledger validator unjail --from alice",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.signAndSend(cmd, &tx.Unjail{}) },
	}
}

// candidate is a registered validator as `validator list` shows it.
type candidate struct {
	Address keys.Address `json:"address"`
	Power   uint64       `json:"power"` // in the running epoch, 0: not in the set
	state.Candidate
}

func newValidatorListCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List registered validators with their pools", Args: cobra.NoArgs,
		Example: "  openledger validator list\n  openledger validator list --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context) error {
				c := a.client()
				l, err := all(ctx, c.ChainCandidates)
				if err != nil {
					return err
				}
				set, err := c.ChainValidators(ctx, api.Empty{})
				if err != nil {
					return err
				}
				out := []candidate{}
				for _, it := range l.Items {
					x := candidate{Address: keys.Address(it.ID), Candidate: it.Value}
					for _, v := range set.Items {
						if v.Address == x.Address {
							x.Power = v.Power
						}
					}
					out = append(out, x)
				}
				return a.print(cmd, out, func(w io.Writer) {
					for _, x := range out {
						fmt.Fprintf(w, "%s  power %-6d bonded %s  commission %d bps%s\n", x.Address, x.Power, x.Tokens, x.Commission, standing(x.Candidate))
					}
				})
			})
		},
	}
}

// standing says why a validator may not be elected, if so.
func standing(c state.Candidate) string {
	switch {
	case c.Removed:
		return "  removed for good"
	case c.JailedTo > 0:
		return fmt.Sprintf("  jailed until epoch %d", c.JailedTo)
	}
	return ""
}
