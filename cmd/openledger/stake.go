// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
)

func newStakeCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "stake", Short: "Stake OPEN with a validator, move it, take it out, claim rewards", Args: cobra.NoArgs,
		Long: "A stake buys shares of the validator's pool. It earns a part of the fees, counts as the validator's power from the next epoch, and\n" +
			"is slashed with the validator. What is taken out is paid when the unbonding time is over.",
	}
	cmd.AddCommand(newStakeAddCmd(a), newStakeRemoveCmd(a), newStakeMoveCmd(a), newStakeClaimCmd(a), newStakeShowCmd(a))
	return cmd
}

func newStakeAddCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "add VALIDATOR AMOUNT", Short: "Stake an amount of OPEN with a validator", Args: cobra.ExactArgs(2),
		Example: "  openledger stake add open1… 25 --from alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := keys.ParseAddress(args[0])
			if err != nil {
				return err
			}
			amount, err := fixed.ParseAmount(args[1])
			if err != nil {
				return err
			}
			return a.signAndSend(cmd, &tx.Stake{Validator: v, Amount: amount})
		},
	}
}

func newStakeRemoveCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "remove VALIDATOR SHARES|all", Short: "Take shares out of a validator's pool", Args: cobra.ExactArgs(2),
		Example: "  openledger stake remove open1… all --from alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := keys.ParseAddress(args[0])
			if err != nil {
				return err
			}
			return a.sendShares(cmd, v, args[1], func(shares uint64) tx.Payload { return &tx.Unstake{Validator: v, Shares: shares} })
		},
	}
}

func newStakeMoveCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "move FROM TO SHARES|all", Short: "Move shares from one validator to another", Args: cobra.ExactArgs(3),
		Long: "The stake changes pools at once. Until the unbonding time is over it cannot leave the new one, and it is still liable for the\n" +
			"validator that it left.",
		Example: "  openledger stake move open1… open1… all --from alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := keys.ParseAddress(args[0])
			if err != nil {
				return err
			}
			to, err := keys.ParseAddress(args[1])
			if err != nil {
				return err
			}
			return a.sendShares(cmd, from, args[2], func(shares uint64) tx.Payload { return &tx.Redelegate{From: from, To: to, Shares: shares} })
		},
	}
}

// sendShares reads a number of shares, or all that may leave v, and sends what
// make makes of it.
func (a *app) sendShares(cmd *cobra.Command, v keys.Address, text string, make func(uint64) tx.Payload) error {
	shares, err := strconv.ParseUint(text, 10, 64)
	if err != nil && text != "all" {
		return usage("%q is neither a number of shares nor all", text)
	}
	key, err := a.signer(cmd)
	if err != nil {
		return err
	}
	return a.call(cmd, func(ctx context.Context) error {
		c := a.client()
		if text == "all" {
			s, err := c.AccountStake(ctx, api.StakeParams{Validator: v, Address: keys.SingleAuth(key.Public()).Address()})
			if err != nil {
				return err
			}
			shares = s.Shares - s.Locked
		}
		p := make(shares)
		if err := p.Check(); err != nil {
			return usage("%v", err)
		}
		s, err := c.Send(ctx, key, p)
		if err != nil {
			return err
		}
		return a.print(cmd, s, func(w io.Writer) { printFinal(w, s) })
	})
}

func newStakeClaimCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "claim VALIDATOR", Short: "Claim the rewards of a stake, and a validator's commission", Args: cobra.ExactArgs(1),
		Example: "  openledger stake claim open1… --from alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := keys.ParseAddress(args[0])
			if err != nil {
				return err
			}
			return a.signAndSend(cmd, &tx.RewardClaim{Validator: v})
		},
	}
}

func newStakeShowCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show VALIDATOR [ADDRESS]", Short: "Show what an account has staked with a validator", Args: cobra.RangeArgs(1, 2),
		Example: "  openledger stake show open1… --from alice\n  openledger stake show open1… open1… --output json",
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := keys.ParseAddress(args[0])
			if err != nil {
				return err
			}
			who, err := a.addressOf(args[1:])
			if err != nil {
				return err
			}
			return query(a, cmd, a.client().AccountStake, api.StakeParams{Validator: v, Address: who}, func(w io.Writer, s api.StakeView) {
				fmt.Fprintf(w, "shares %d (%d locked)  worth %s  rewards %s\n", s.Shares, s.Locked, s.Worth, s.Rewards)
			})
		},
	}
}
