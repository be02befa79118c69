// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/rpc/api"
)

func newPeersCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "peers", Short: "List the peers of a node", Args: cobra.NoArgs,
		Example: "  openledger peers --node http://127.0.0.1:9944",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context) error {
				p, err := a.client().NodePeers(ctx, api.Empty{})
				if err != nil {
					return err
				}
				return a.print(cmd, p, func(w io.Writer) {
					for _, x := range p.Items {
						fmt.Fprintf(w, "%s  height %-8d score %-4d %s\n", x.ID, x.Height, x.Score, x.Addr)
					}
					fmt.Fprintf(w, "%d peers\n", len(p.Items))
				})
			})
		},
	}
}
