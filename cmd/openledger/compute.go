// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

func newComputeCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "compute", Short: "Offer answers for money, and see what is offered", Args: cobra.NoArgs}
	cmd.AddCommand(newComputeOfferCmd(a), newComputeStatusCmd(a))
	return cmd
}

// offered is the answer of `compute offer`.
type offered struct {
	created
	Serving bool `json:"serving"` // the node answers for it already
}

func newComputeOfferCmd(a *app) *cobra.Command {
	var ask string
	var valid time.Duration
	cmd := &cobra.Command{
		Use: "offer MODEL", Short: "Offer answers of a model at a price", Args: cobra.ExactArgs(1),
		Long: "Posts an offer signed by the operator's key of --home. The operator's node serves every open offer of its account by itself;\n" +
			"the price of an answer is what you ask plus the model's royalty.",
		Example: "  openledger compute offer digits --ask 0.02 --home net/worker0 --node http://127.0.0.1:9948",
		RunE: func(cmd *cobra.Command, args []string) error {
			amount, err := fixed.ParseAmount(ask)
			if err != nil {
				return err
			}
			key, err := a.signer(cmd)
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context) error {
				c := a.client()
				model, err := findModel(ctx, c, args[0])
				if err != nil {
					return err
				}
				head, err := c.ChainHead(ctx, api.Empty{})
				if err != nil {
					return err
				}
				p := &tx.OfferPost{Model: model, Ask: amount, ValidUntil: head.TimeMS + uint64(valid.Milliseconds())}
				if err := checkPayload(p); err != nil {
					return err
				}
				made, err := a.create(ctx, key, p)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.progress(cmd), "offer %s posted, waiting for the node to load the model\n", made.ID)
				out := offered{created: made}
				if out.Serving, err = waitServing(ctx, c, made.ID, keys.SingleAuth(key.Public()).Address()); err != nil {
					return err
				}
				return a.print(cmd, out, func(w io.Writer) {
					fmt.Fprintf(w, "offer %s  final at %d  fee %s  serving here: %v\n", out.ID, out.Height, out.Fee, out.Serving)
				})
			})
		},
	}
	cmd.Flags().StringVar(&ask, "ask", "", "OPEN per answer for the operator (required)")
	cmd.Flags().DurationVar(&valid, "for", 30*24*time.Hour, "how long the offer stands")
	_ = cmd.MarkFlagRequired("ask")
	return cmd
}

// waitServing waits until the node answers for the offer; false if it is not the
// operator's node, or did not load the model in time.
func waitServing(ctx context.Context, c *client.Client, offer api.Hash, operator keys.Address) (bool, error) {
	s, err := c.NodeStatus(ctx, api.Empty{})
	if err != nil || s.Operator != operator.String() {
		return false, err
	}
	poll := time.NewTicker(200 * time.Millisecond)
	defer poll.Stop()
	for {
		l, err := c.InferModels(ctx, api.Empty{})
		for _, m := range l.Items {
			if m.Offer == offer && m.Local {
				return true, nil
			}
		}
		if err != nil && ctx.Err() == nil {
			return false, err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return false, nil
		}
	}
}

// computeStatus is the answer of `compute status`.
type computeStatus struct {
	Account  keys.Address    `json:"account"`
	Operator *state.Operator `json:"operator"` // null: not registered
	Offers   []api.Served    `json:"offers"`   // open ones
}

func newComputeStatusCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "status [ADDRESS]", Short: "Show an operator and its open offers", Args: cobra.MaximumNArgs(1),
		Example: "  openledger compute status --home net/worker0",
		RunE: func(cmd *cobra.Command, args []string) error {
			who, err := a.account(args)
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context) error {
				c := a.client()
				v, err := c.AccountGet(ctx, api.AccountParams{Address: who})
				if err != nil {
					return err
				}
				l, err := c.InferModels(ctx, api.Empty{})
				if err != nil {
					return err
				}
				out := computeStatus{Account: who, Operator: v.Operator, Offers: []api.Served{}}
				for _, m := range l.Items {
					if m.Operator == who {
						out.Offers = append(out.Offers, m)
					}
				}
				return a.print(cmd, out, func(w io.Writer) { printCompute(w, out) })
			})
		},
	}
}

func printCompute(w io.Writer, s computeStatus) {
	if s.Operator == nil {
		fmt.Fprintf(w, "%s  not registered as an operator\n", s.Account)
	} else {
		fmt.Fprintf(w, "%s  %s  bond %s\n", s.Account, s.Operator.DeviceClass, s.Operator.Bond)
	}
	for _, m := range s.Offers {
		fmt.Fprintf(w, "offer %s  model %s  price %s  served by this node: %v\n", m.Offer, m.Name, m.Price, m.Local)
	}
}

// account is the address in args, or that of the home's key, which need not be
// unlocked for it.
func (a *app) account(args []string) (keys.Address, error) {
	if len(args) > 0 {
		return keys.ParseAddress(args[0])
	}
	ks, err := a.keystore()
	if err != nil {
		return keys.Address{}, err
	}
	name := a.from
	if name == "" {
		if name, err = onlyKey(ks, a.home); err != nil {
			return keys.Address{}, err
		}
	}
	e, err := ks.Entry(name)
	return e.Address, err
}

// findOffer returns the open offer with an id, or the cheapest one of a model
// that is named by id or name.
func findOffer(ctx context.Context, c *client.Client, name string) (api.Served, error) {
	l, err := c.InferModels(ctx, api.Empty{})
	if err != nil {
		return api.Served{}, err
	}
	var best *api.Served
	for i, m := range l.Items {
		if m.Offer.String() == name {
			return m, nil
		}
		if (m.Name == name || m.Model.String() == name) && (best == nil || m.Price < best.Price) {
			best = &l.Items[i]
		}
	}
	if best == nil {
		return api.Served{}, &exitError{exitNotFound, errors.New("no open offer for " + name + "; see `openledger infer --list`")}
	}
	return *best, nil
}
