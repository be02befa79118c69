// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/node/config"
)

func newConfigCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Show, check and explain the settings of a node", Args: cobra.NoArgs,
		Long: "Settings come from config.toml in --home, then OPENLEDGER_<SECTION>_<KEY>, then flags of `openledger node`."}
	cmd.AddCommand(newConfigShowCmd(a), newConfigCheckCmd(a), newConfigExplainCmd(a))
	return cmd
}

func (a *app) configPath() string { return filepath.Join(a.home, "config.toml") }

func newConfigShowCmd(a *app) *cobra.Command {
	var origin bool
	cmd := &cobra.Command{
		Use: "show", Short: "Print every setting", Args: cobra.NoArgs,
		Example: "  openledger config show --origin",
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := config.Show(a.configPath(), os.LookupEnv)
			if err != nil {
				return err
			}
			return a.print(cmd, list, func(w io.Writer) {
				for _, s := range list {
					fmt.Fprintf(w, "%s = %s", s.Key, s.Value)
					if origin {
						fmt.Fprintf(w, "  (%s)", s.Origin)
					}
					fmt.Fprintln(w)
				}
			})
		},
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "say where each value comes from")
	return cmd
}

func newConfigCheckCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Check config.toml and the environment", Args: cobra.NoArgs,
		Example: "  openledger config check --home ~/.openledger",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := config.Load(a.configPath(), os.LookupEnv); err != nil {
				return err
			}
			return a.print(cmd, map[string]any{"ok": true, "file": a.configPath()}, func(w io.Writer) { fmt.Fprintf(w, "ok  %s\n", a.configPath()) })
		},
	}
}

func newConfigExplainCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "explain KEY", Short: "Say what one setting does", Args: cobra.ExactArgs(1),
		Example: "  openledger config explain p2p.profile",
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := config.Show(a.configPath(), os.LookupEnv)
			if err != nil {
				return err
			}
			s, err := config.Explain(list, args[0])
			if err != nil {
				return err
			}
			return a.print(cmd, s, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s\nvalue    %s  (%s)\ndefault  %s\n", s.Key, s.Help, s.Value, s.Origin, s.Default)
			})
		},
	}
}
