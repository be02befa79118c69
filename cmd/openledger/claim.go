// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/proof"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// claimed is one claim of `claim`.
type claimed struct {
	Commit api.Hash     `json:"commit"`
	Amount fixed.Amount `json:"amount"`
	TxID   api.Hash     `json:"txid"`
	Height uint64       `json:"height"`
	Fee    fixed.Amount `json:"fee"`
}

// claims is the answer of `claim`.
type claims struct {
	Account keys.Address `json:"account"`
	Items   []claimed    `json:"items"`
	Sum     fixed.Amount `json:"sum"`
}

func newClaimCmd(a *app) *cobra.Command {
	var commit string
	cmd := &cobra.Command{
		Use: "claim", Short: "Receive what settled answers owe the home's key", Args: cobra.NoArgs,
		Long:    "Fetches the proof of each open payout from its operator, checks it against the ledger on this machine, and claims it.",
		Example: "  openledger claim\n  openledger claim --commit 0x…",
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := a.signer(cmd)
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context) error {
				out, err := a.claim(ctx, key, commit)
				if err != nil && len(out.Items) == 0 {
					return err
				}
				return errors.Join(a.print(cmd, out, func(w io.Writer) {
					for _, c := range out.Items {
						fmt.Fprintf(w, "%s  %s  final at %d  fee %s\n", c.Commit, c.Amount, c.Height, c.Fee)
					}
					fmt.Fprintf(w, "received %s\n", out.Sum)
				}), err)
			})
		},
	}
	cmd.Flags().StringVar(&commit, "commit", "", "claim from this commit only (default: everything that is open)")
	return cmd
}

// claim receives one payout or all open ones.
func (a *app) claim(ctx context.Context, key keys.PrivateKey, commit string) (claims, error) {
	c := a.client()
	out := claims{Account: keys.SingleAuth(key.Public()).Address(), Items: []claimed{}}
	var ids []api.Hash
	if commit != "" {
		id, err := api.ParseHash(commit)
		if err != nil {
			return out, usage("--commit: %v", err)
		}
		ids = append(ids, id)
	} else {
		p, err := c.AccountPayouts(ctx, api.AccountParams{Address: out.Account})
		if err != nil {
			return out, err
		}
		for _, it := range p.Items {
			if it.Settled && !it.Claimed && it.Amount > 0 {
				ids = append(ids, it.Commit)
			}
		}
	}
	for _, id := range ids {
		one, err := claimOne(ctx, c, key, out.Account, id)
		if err != nil {
			return out, err
		}
		out.Items, out.Sum = append(out.Items, one), out.Sum+one.Amount
	}
	return out, nil
}

// claimOne fetches, checks and sends one claim.
func claimOne(ctx context.Context, c *client.Client, key keys.PrivateKey, who keys.Address, id api.Hash) (claimed, error) {
	got, err := c.PoaClaim(ctx, api.ClaimParams{Account: who, Commit: id})
	if err != nil {
		return claimed{}, err
	}
	payload, err := tx.ParsePayload(tx.KindClaimEpoch, got.Fields)
	if err != nil {
		return claimed{}, &exitError{exitNo, fmt.Errorf("the operator sent no claim: %w", err)}
	}
	p, ok := payload.(*tx.ClaimEpoch)
	if !ok || p.Payee != who || p.Commit != id {
		return claimed{}, &exitError{exitNo, errors.New("the operator sent a claim for another account or commit")}
	}
	at, err := c.ChainProof(ctx, api.ProofParams{Key: state.CommitKey(id)})
	if err != nil {
		return claimed{}, err
	}
	var rec receipt.Commit
	if err := enc.Decode(at.Value, &rec); err != nil {
		return claimed{}, err
	}
	amount, err := receipt.ClaimAmount(rec.Lines, who, p.First, p.Last, p.Proof)
	if err != nil {
		return claimed{}, &exitError{exitNo, fmt.Errorf("%w: %w", proof.ErrFalse, err)}
	}
	bits, err := c.ChainProof(ctx, api.ProofParams{Key: state.ClaimedKey(id, p.First/256)})
	if err != nil {
		return claimed{}, err
	}
	var word [32]byte
	if len(bits.Value) > 0 {
		if err := enc.Decode(bits.Value, &word); err != nil {
			return claimed{}, err
		}
	}
	if word[p.First%256/8]>>(p.First%8)&1 == 1 {
		return claimed{}, &exitError{exitRefused, fmt.Errorf("the payout of commit %s has been received; see `openledger payouts`", id)}
	}
	s, err := c.Send(ctx, key, p)
	if err != nil {
		return claimed{}, err
	}
	return claimed{Commit: id, Amount: amount, TxID: s.TxID, Height: s.Height, Fee: s.Receipt.Fee}, nil
}
