// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/testnet/demo"
)

func newDemoCmd(a *app) *cobra.Command {
	o := demo.Options{}
	cmd := &cobra.Command{
		Use: "demo", Short: "See the whole economy work on real data, on this machine", Args: cobra.NoArgs,
		Long:    "Starts 4 validators and 2 workers as separate processes, publishes a real dataset in parts, trains, replays, catches a lie,\nattributes, sells answers, pays the contributors, and checks everything it says. Takes about a minute.",
		Example: "  openledger demo\n  openledger demo --keep --dir ./openledger-demo --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			exe, err := os.Executable()
			if err != nil {
				return err
			}
			o.Program, o.Out = exe, cmd.OutOrStdout()
			if a.output == "json" {
				o.Out = a.progress(cmd)
			}
			r, err := demo.Run(cmd.Context(), o)
			if perr := a.print(cmd, r, func(w io.Writer) { printDemo(w, r, err) }); perr != nil {
				return perr
			}
			if errors.Is(err, demo.ErrCheck) {
				return &exitError{exitNo, err}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "openledger-demo", "folder for the network and its evidence")
	cmd.Flags().BoolVar(&o.Keep, "keep", false, "leave the files and the running network")
	cmd.Flags().IntVar(&o.BasePort, "base-port", 9944, "RPC port of the first node; the others follow")
	return cmd
}

func printDemo(w io.Writer, r demo.Report, err error) {
	if err != nil {
		fmt.Fprintf(w, "\nnot ok after %.1f s; files are in %s\n", r.Seconds, r.Dir)
		return
	}
	fmt.Fprintf(w, "\n%s\n", demo.NotProved)
	if r.Dir != "" {
		fmt.Fprintf(w, "\nthe network runs on; stop it with: openledger testnet down --home %s\n", r.Dir)
	}
	fmt.Fprintf(w, "\nok  %.1f s\n", r.Seconds)
}
