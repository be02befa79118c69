// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/testnet/localnet"
)

func newTestnetCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "testnet", Short: "Run a whole network of real processes on this machine", Args: cobra.NoArgs,
		Long: "A local network lives in one folder (--home, default ./openledger-testnet). Its nodes are separate processes of this program."}
	cmd.AddCommand(newTestnetUpCmd(a), newTestnetStatusCmd(a), newTestnetLogsCmd(a), newTestnetKillCmd(a), newTestnetHealCmd(a), newTestnetDownCmd(a))
	return cmd
}

// netDir is the network's folder: --home if it was given.
func (a *app) netDir(cmd *cobra.Command) string {
	if cmd.Flags().Changed("home") {
		return a.home
	}
	return "openledger-testnet"
}

func (a *app) openNet(cmd *cobra.Command) (*localnet.Network, error) {
	n, err := localnet.Open(a.netDir(cmd))
	if errors.Is(err, localnet.ErrMissing) {
		return nil, &exitError{exitNotFound, err}
	}
	return n, err
}

type netView struct {
	Dir     string          `json:"dir"`
	Join    string          `json:"join"`
	Nodes   []localnet.Node `json:"nodes"`
	Seconds float64         `json:"seconds,omitempty"`
}

func newTestnetUpCmd(a *app) *cobra.Command {
	o := localnet.Options{}
	var detach, reset bool
	cmd := &cobra.Command{
		Use: "up", Short: "Start a local network", Args: cobra.NoArgs,
		Example: "  openledger testnet up --detach\n  openledger testnet up --validators 7 --base-port 10000 --home ./net7",
		RunE: func(cmd *cobra.Command, _ []string) error {
			start := time.Now()
			n, err := a.createOrOpen(cmd, o, reset)
			if err != nil {
				return err
			}
			progress := a.progress(cmd)
			if err := n.Start(cmd.Context(), func(s string) { fmt.Fprintln(progress, s) }); err != nil {
				return errors.Join(&exitError{exitFailure, err}, n.Down())
			}
			v := netView{n.Dir, n.Join, n.Nodes, time.Since(start).Seconds()}
			if err := a.print(cmd, v, func(w io.Writer) { printUp(w, v) }); err != nil || detach {
				return err
			}
			<-cmd.Context().Done()
			return n.Down()
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Validators, "validators", localnet.DefaultValidators, "validators, which are CPU operators too")
	f.IntVar(&o.Workers, "workers", localnet.DefaultWorkers, "further operators, which claim tasks")
	f.IntVar(&o.BasePort, "base-port", localnet.DefaultPort, "RPC port of the first node; the others follow")
	f.DurationVar(&o.Epoch, "epoch", localnet.DefaultEpoch, "length of an epoch: validators change and operators are settled at its end")
	f.BoolVar(&detach, "detach", false, "return when the network is up and leave it running")
	f.BoolVar(&reset, "reset", false, "remove a network that is in the folder first")
	return cmd
}

func (a *app) createOrOpen(cmd *cobra.Command, o localnet.Options, reset bool) (*localnet.Network, error) {
	dir, err := filepath.Abs(a.netDir(cmd))
	if err != nil {
		return nil, err
	}
	old, err := localnet.Open(dir)
	if err == nil && !reset {
		return old, nil // start it again with its data
	}
	if err == nil {
		if err := errors.Join(old.Down(), os.RemoveAll(dir)); err != nil {
			return nil, err
		}
	}
	if o.Validators < 1 || o.Validators > 32 || o.Workers < 0 || o.Workers > 32 {
		return nil, usage("--validators must be 1..32 and --workers 0..32")
	}
	if o.Epoch < time.Second || o.Epoch > 24*time.Hour {
		return nil, usage("--epoch must be 1s..24h")
	}
	if o.Program, err = os.Executable(); err != nil {
		return nil, err
	}
	o.Dir = dir
	n, err := localnet.Create(o)
	if errors.Is(err, localnet.ErrPort) {
		return nil, errors.Join(&exitError{exitUsage, err}, os.RemoveAll(dir))
	}
	return n, err
}

func printUp(w io.Writer, v netView) {
	validators := 0
	for _, m := range v.Nodes {
		if m.Validator {
			validators++
		}
	}
	fmt.Fprintf(w, "%d validators and %d workers ready in %.1fs\n", validators, len(v.Nodes)-validators, v.Seconds)
	for _, m := range v.Nodes {
		fmt.Fprintf(w, "  %-12s %s  %s\n", m.Name, m.RPC, m.Account)
	}
	fmt.Fprintf(w, "join file  %s\nkey dev    --home %s\n", v.Join, filepath.Join(v.Dir, "clients", "dev"))
	fmt.Fprintf(w, "next:\n  openledger status --node %s\n  openledger send %s 1 --home %s --node %s\n",
		v.Nodes[0].RPC, v.Nodes[0].Account, filepath.Join(v.Dir, "clients", "dev"), v.Nodes[0].RPC)
}

type nodeLine struct {
	Name      string `json:"name"`
	Running   bool   `json:"running"`
	RPC       string `json:"rpc"`
	State     string `json:"state"`
	Height    uint64 `json:"height"`
	StateRoot string `json:"state_root"`
	Peers     int    `json:"peers"`
}

func newTestnetStatusCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the network's nodes", Args: cobra.NoArgs,
		Example: "  openledger testnet status",
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := a.openNet(cmd)
			if err != nil {
				return err
			}
			lines := []nodeLine{}
			for _, m := range n.Nodes {
				l := nodeLine{Name: m.Name, RPC: m.RPC, Running: m.Running(), State: "down"}
				ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
				if s, err := m.Client().NodeStatus(ctx, api.Empty{}); err == nil {
					l.State, l.Height, l.StateRoot, l.Peers = s.State, s.Height, s.StateRoot.String(), s.Peers
				}
				cancel()
				lines = append(lines, l)
			}
			return a.print(cmd, lines, func(w io.Writer) {
				for _, l := range lines {
					fmt.Fprintf(w, "%-12s %-11s height %-8d root %.10s  peers %-2d %s\n", l.Name, l.State, l.Height, l.StateRoot, l.Peers, l.RPC)
				}
			})
		},
	}
}

func newTestnetLogsCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "logs NODE", Short: "Print a node's log", Args: cobra.ExactArgs(1),
		Example: "  openledger testnet logs validator0",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withNode(cmd, args[0], func(n *localnet.Network, m *localnet.Node) error {
				f, err := os.Open(m.Log())
				if err != nil {
					return err
				}
				defer f.Close()
				_, err = io.Copy(cmd.OutOrStdout(), f)
				return err
			})
		},
	}
}

func (a *app) withNode(cmd *cobra.Command, name string, do func(*localnet.Network, *localnet.Node) error) error {
	n, err := a.openNet(cmd)
	if err != nil {
		return err
	}
	m, err := n.Find(name)
	if err != nil {
		return &exitError{exitNotFound, err}
	}
	return do(n, m)
}

func newTestnetKillCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "kill NODE", Short: "End a node at once, as a crash would", Args: cobra.ExactArgs(1),
		Example: "  openledger testnet kill validator2",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withNode(cmd, args[0], func(n *localnet.Network, m *localnet.Node) error {
				if err := n.Kill(m.Name); err != nil {
					return err
				}
				return a.print(cmd, map[string]string{"killed": m.Name}, func(w io.Writer) { fmt.Fprintf(w, "%s is dead\n", m.Name) })
			})
		},
	}
}

func newTestnetHealCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "heal NODE", Short: "Start a node again", Args: cobra.ExactArgs(1),
		Example: "  openledger testnet heal validator2",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withNode(cmd, args[0], func(n *localnet.Network, m *localnet.Node) error {
				if err := n.Heal(cmd.Context(), m.Name); err != nil {
					return err
				}
				return a.print(cmd, map[string]string{"healed": m.Name}, func(w io.Writer) { fmt.Fprintf(w, "%s answers at %s\n", m.Name, m.RPC) })
			})
		},
	}
}

func newTestnetDownCmd(a *app) *cobra.Command {
	var reset bool
	cmd := &cobra.Command{
		Use: "down", Short: "Stop the network", Args: cobra.NoArgs,
		Example: "  openledger testnet down\n  openledger testnet down --reset",
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := a.openNet(cmd)
			if err != nil {
				return err
			}
			if err := n.Down(); err != nil {
				return err
			}
			if reset {
				if err := os.RemoveAll(n.Dir); err != nil {
					return err
				}
			}
			return a.print(cmd, map[string]string{"down": n.Dir}, func(w io.Writer) { fmt.Fprintf(w, "%s is down\n", n.Dir) })
		},
	}
	cmd.Flags().BoolVar(&reset, "reset", false, "remove its data and keys too")
	return cmd
}
