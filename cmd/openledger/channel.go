// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/pay"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

func newChannelCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "channel", Short: "Open, look at and close payment channels", Args: cobra.NoArgs,
		Long: "A channel locks a deposit for one operator. Vouchers spend it answer by answer without a transaction; what is left comes back."}
	cmd.AddCommand(newChannelOpenCmd(a), newChannelListCmd(a), newChannelShowCmd(a), newChannelCloseCmd(a))
	return cmd
}

// channelFlags say how a channel is opened.
type channelFlags struct {
	deposit      string
	life, window time.Duration
	lanes        uint64
}

func (f *channelFlags) bind(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.deposit, "deposit", "5", "OPEN to lock when a channel is opened")
	fl.DurationVar(&f.life, "life", 24*time.Hour, "how long an opened channel lasts")
	fl.DurationVar(&f.window, "window", 100*time.Second, "how long the operator may still redeem after you close")
	fl.Uint64Var(&f.lanes, "lanes", 8, "offers that one channel can pay for")
}

// opening is the transaction that opens a channel.
func (f *channelFlags) opening(ctx context.Context, c *client.Client, payee keys.Address) (*tx.ChannelOpen, error) {
	deposit, err := fixed.ParseAmount(f.deposit)
	if err != nil {
		return nil, err
	}
	head, err := c.ChainHead(ctx, api.Empty{})
	if err != nil {
		return nil, err
	}
	p := &tx.ChannelOpen{Payee: payee, Deposit: deposit, WindowMS: uint64(f.window.Milliseconds()),
		ExpiryMS: head.TimeMS + uint64(f.life.Milliseconds()), MaxLanes: f.lanes}
	return p, checkPayload(p)
}

// payer opens the records of the channels that the home's key pays.
func (a *app) payer(ctx context.Context, c *client.Client, key keys.PrivateKey) (*pay.Payer, error) {
	s, err := c.NodeStatus(ctx, api.Empty{})
	if err != nil {
		return nil, err
	}
	return pay.Open(filepath.Join(a.home, "channels"), s.Chain, key, c)
}

func newChannelOpenCmd(a *app) *cobra.Command {
	var f channelFlags
	cmd := &cobra.Command{
		Use: "open OFFER|MODEL|PAYEE", Short: "Lock a deposit for an operator", Args: cobra.ExactArgs(1),
		Example: "  openledger channel open digits --deposit 5",
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := a.signer(cmd)
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context) error {
				c := a.client()
				payee, err := keys.ParseAddress(args[0])
				if err != nil {
					offer, err := findOffer(ctx, c, args[0])
					if err != nil {
						return err
					}
					payee = offer.Operator
				}
				p, err := a.payer(ctx, c, key)
				if err != nil {
					return payError(err)
				}
				defer p.Close()
				made, err := a.openChannel(ctx, c, key, p, payee, f)
				if err != nil {
					return err
				}
				return a.print(cmd, made, func(w io.Writer) {
					fmt.Fprintf(w, "channel %s  to %s  final at %d  fee %s\n", made.ID, payee, made.Height, made.Fee)
				})
			})
		},
	}
	f.bind(cmd)
	return cmd
}

func (a *app) openChannel(ctx context.Context, c *client.Client, key keys.PrivateKey, p *pay.Payer, payee keys.Address, f channelFlags) (created, error) {
	payload, err := f.opening(ctx, c, payee)
	if err != nil {
		return created{}, err
	}
	made, err := a.create(ctx, key, payload)
	if err != nil {
		return created{}, err
	}
	return made, payError(p.Add(ctx, made.ID))
}

func newChannelListCmd(a *app) *cobra.Command {
	var everyone bool
	cmd := &cobra.Command{
		Use: "list", Short: "List channels that the home's key pays or is paid by", Args: cobra.NoArgs,
		Example: "  openledger channel list --all",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var me keys.Address
			if !everyone {
				var err error
				if me, err = a.account(nil); err != nil {
					return err
				}
			}
			return a.call(cmd, func(ctx context.Context) error {
				l, err := all(ctx, a.client().ChannelList)
				if err != nil {
					return err
				}
				kept := l.Items[:0]
				for _, it := range l.Items {
					if everyone || it.Value.Payer == me || it.Value.Payee == me {
						kept = append(kept, it)
					}
				}
				l.Items = kept
				return a.print(cmd, l, func(w io.Writer) {
					for _, it := range l.Items {
						fmt.Fprintf(w, "%s  redeemed %s of %s  to %s\n", it.ID, it.Value.Paid, it.Value.Deposit, it.Value.Payee)
					}
				})
			})
		},
	}
	cmd.Flags().BoolVar(&everyone, "all", false, "everyone's channels")
	return cmd
}

func newChannelShowCmd(a *app) *cobra.Command {
	var prove bool
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show a channel, what was redeemed, and the newest vouchers its payee holds", Args: cobra.ExactArgs(1),
		Example: "  openledger channel show 0x…",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := api.ParseHash(args[0])
			if err != nil {
				return usage("%v", err)
			}
			return a.call(cmd, func(ctx context.Context) error {
				v, err := a.client().ChannelGet(ctx, api.IDParams{ID: id, Prove: prove})
				if err != nil {
					return err
				}
				return a.print(cmd, v, func(w io.Writer) { printChannel(w, v) })
			})
		},
	}
	cmd.Flags().BoolVar(&prove, "prove", false, "add a state proof to the JSON; `openledger query proof` writes one to a file and checks it")
	return cmd
}

func printChannel(w io.Writer, v api.ChannelView) {
	c := v.Value
	state := "open"
	if c.ClosingMS != 0 {
		state = "closing"
	}
	fmt.Fprintf(w, "%s  %s\npayer %s\npayee %s\ndeposit %s  redeemed %s  ends in %s of chain time\n", v.ID, state, c.Payer, c.Payee,
		c.Deposit, c.Paid, time.Duration(c.EndMS()-min(v.CTimeMS, c.EndMS()))*time.Millisecond)
	for _, l := range v.Lanes {
		fmt.Fprintf(w, "offer %s  redeemed %s", l.Offer, l.Redeemed)
		if l.Newest != nil {
			fmt.Fprintf(w, "  newest voucher %d: %s", l.Newest.Voucher.Nonce, l.Newest.Voucher.Cum)
		}
		fmt.Fprintln(w)
	}
}

func newChannelCloseCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "close ID", Short: "Close a channel: the payer after its window, the payee at once", Args: cobra.ExactArgs(1),
		Example: "  openledger channel close 0x…",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := api.ParseHash(args[0])
			if err != nil {
				return usage("%v", err)
			}
			return a.signAndSend(cmd, &tx.ChannelClose{Channel: id})
		},
	}
}
