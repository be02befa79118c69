// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/node/config"
	"github.com/openledger/openledger/node/doctor"
	"github.com/openledger/openledger/rpc/api"
)

// call runs f with --timeout.
func (a *app) call(cmd *cobra.Command, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), a.timeout)
	defer cancel()
	return f(ctx)
}

func newStatusCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show what a node is doing", Args: cobra.NoArgs,
		Example: "  openledger status --node http://127.0.0.1:9944",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context) error {
				s, err := a.client().NodeStatus(ctx, api.Empty{})
				if err != nil {
					return err
				}
				return a.print(cmd, s, func(w io.Writer) {
					fmt.Fprintf(w, "%s  network %s (%.10s)  height %d  epoch %d  peers %d  mempool %d\n", s.State, s.Network, s.Chain, s.Height, s.Epoch, s.Peers, s.Mempool)
					fmt.Fprintf(w, "state root %s  version %s\n", s.StateRoot, s.Version)
					for _, g := range s.GPU {
						fmt.Fprintf(w, "card %d  %s  %s  %.1f GiB  %s", g.Index, g.Name, g.Class, float64(g.Memory)/(1<<30), g.State)
						for _, x := range []string{g.Task, g.Why} {
							if x != "" {
								fmt.Fprintf(w, "  %s", x)
							}
						}
						fmt.Fprintln(w)
					}
					for _, x := range s.Warnings {
						fmt.Fprintf(w, "warning  %s\n", x)
					}
				})
			})
		},
	}
}

func newDoctorCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Diagnose this home, this machine and the running node", Args: cobra.NoArgs,
		Example: "  openledger doctor",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context) error {
				answer, err := a.client().NodeDoctor(ctx, api.Empty{})
				if err != nil { // no running node of this home: check what can be checked without it
					c, err := config.Load(a.configPath(), os.LookupEnv)
					if err != nil {
						return err
					}
					answer.Checks = append(doctor.Home(a.home, c), doctor.Listen("rpc port", c.RPC.Listen))
				}
				failed := 0
				for _, c := range answer.Checks {
					if c.Status == "fail" {
						failed++
					}
				}
				err = a.print(cmd, answer, func(w io.Writer) {
					for _, c := range answer.Checks {
						fmt.Fprintf(w, "%-5s %-16s %s\n", c.Status, c.Name, c.Value)
						if c.Fix != "" {
							fmt.Fprintf(w, "      fix: %s\n", c.Fix)
						}
					}
				})
				if err == nil && failed > 0 {
					err = &exitError{exitNo, fmt.Errorf("%d checks failed", failed)}
				}
				return err
			})
		},
	}
}
