// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/node"
	"github.com/openledger/openledger/node/config"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/testnet/bundle"
)

type initResult struct {
	Home    string `json:"home"`
	Network string `json:"network,omitempty"`
	Config  string `json:"config"`
}

func newInitCmd(a *app) *cobra.Command {
	var join string
	cmd := &cobra.Command{
		Use: "init", Short: "Make a home: configuration, and the network to join", Args: cobra.NoArgs,
		Example: "  openledger init --home ~/.openledger --join join.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := initHome(a.home, join)
			if err != nil {
				return err
			}
			return a.print(cmd, r, func(w io.Writer) {
				fmt.Fprintf(w, "home %s ready\n", r.Home)
				if r.Network == "" {
					fmt.Fprintln(w, "next: openledger node --join FILE")
				} else {
					fmt.Fprintf(w, "network %s; next: openledger node --home %s\n", r.Network, r.Home)
				}
			})
		},
	}
	cmd.Flags().StringVar(&join, "join", "", "network file of the network to join")
	return cmd
}

// initHome writes what a home lacks and never replaces a file.
func initHome(home, join string) (initResult, error) {
	r := initResult{Home: home, Config: filepath.Join(home, "config.toml")}
	if err := os.MkdirAll(filepath.Join(home, "keys"), 0o700); err != nil {
		return r, err
	}
	c := config.Default()
	if join != "" {
		b, err := bundle.Load(join)
		if err != nil {
			return r, &exitError{exitUsage, err}
		}
		if err := adopt(home, b); err != nil {
			return r, err
		}
		c.P2P.Bootstrap, r.Network = b.Bootstrap, b.Network
		if b.Network == "local" {
			c.P2P.Profile = "lan"
		}
	}
	if _, err := os.Stat(r.Config); err == nil {
		return r, nil
	}
	text, err := c.Encode()
	if err != nil {
		return r, err
	}
	return r, os.WriteFile(r.Config, text, 0o644)
}

// adopt stores a network's genesis in the home. A home belongs to one network
// for life.
func adopt(home string, b bundle.Bundle) error {
	path := filepath.Join(home, "genesis.cbor")
	old, err := os.ReadFile(path)
	if err == nil {
		if doc, err := genesis.Decode(old); err == nil && doc.ChainID() == b.ChainID {
			return nil
		}
		return usage("%s belongs to another network; use another --home, or move it away", home)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, b.Genesis, 0o644)
}

// nodeFlags override config.toml.
type nodeFlags struct {
	join, profile, pprof, trust string
	gpu                         config.GPU
	validator, lie, archive     bool
	maxDisk                     uint64 // GiB
}

// gcPercent lets a node's heap grow to three times what is in use: half as many
// collections, at a cost of some ten MiB. GOGC and GOMEMLIMIT have the last word.
const gcPercent = 200

func newNodeCmd(a *app) *cobra.Command {
	var f nodeFlags
	cmd := &cobra.Command{
		Use: "node", Short: "Run a node", Args: cobra.NoArgs,
		Long:    "Run a node in the foreground until it is interrupted. Settings come from config.toml in --home, OPENLEDGER_<SECTION>_<KEY>, and flags.",
		Example: "  openledger node --home ~/.openledger --join join.json\n  openledger node --validator --gpu=auto",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.pprof != "" {
				if err := servePprof(cmd.Context(), f.pprof); err != nil {
					return err
				}
			}
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(gcPercent)
			}
			cfg, err := a.nodeConfig(cmd, f)
			if err != nil {
				return err
			}
			return runNode(cmd.Context(), cfg)
		},
	}
	cmd.Flags().StringVar(&f.join, "join", "", "network file of the network to join")
	cmd.Flags().StringVar(&f.gpu.Devices, "gpu", "off", "NVIDIA cards that work for this node: off, auto for all, or numbers such as 0,2 (gpu.devices)")
	cmd.Flags().StringVar(&f.gpu.Memory, "gpu-mem", "80%", "memory of each card to use: 8GiB, 500MiB or a share (gpu.memory)")
	cmd.Flags().StringVar(&f.gpu.Share, "gpu-share", "100%", "most of the time that a card works (gpu.share)")
	cmd.Flags().StringVar(&f.gpu.Schedule, "gpu-schedule", "", "hours at which cards work, such as 22:00-07:00; always if empty (gpu.schedule)")
	cmd.Flags().Uint64Var(&f.gpu.MaxTemp, "gpu-max-temp", 0, "°C from which a card rests, for example 83; 0: no limit (gpu.max_temp)")
	cmd.Flags().StringVar(&f.profile, "profile", "", "connection limits: home, server, validator or lan")
	cmd.Flags().StringVar(&f.trust, "trust", "", "HEIGHT:HASH of a final block that you trust, for a network that is older than the trust period")
	cmd.Flags().BoolVar(&f.validator, "validator", false, "vote with the key named \"validator\"")
	cmd.Flags().Uint64Var(&f.maxDisk, "max-disk", 0, "disk that the home may use, in GiB (store.max_gib); old blocks go when it is reached")
	cmd.Flags().BoolVar(&f.archive, "archive", false, "keep every state and block for ever (store.archive)")
	cmd.Flags().BoolVar(&f.lie, "lie-once", false, "commit one false segment, to show that it is caught")
	cmd.Flags().StringVar(&f.pprof, "pprof-addr", "", "serve Go's profiler on this address of the machine")
	for _, hidden := range []string{"lie-once", "pprof-addr"} {
		_ = cmd.Flags().MarkHidden(hidden)
	}
	return cmd
}

// nodeConfig reads settings, genesis and keys.
func (a *app) nodeConfig(cmd *cobra.Command, f nodeFlags) (cfg node.Config, err error) {
	if _, err := initHome(a.home, f.join); err != nil {
		return cfg, err
	}
	c, err := config.Load(filepath.Join(a.home, "config.toml"), os.LookupEnv)
	if err != nil {
		return cfg, err
	}
	f.cards(cmd, &c.GPU)
	if f.profile != "" {
		c.P2P.Profile = f.profile
	}
	if f.validator && c.Keys.Validator == "" {
		c.Keys.Validator = "validator"
	}
	if f.trust != "" {
		c.Sync.Trust = f.trust
	}
	if cmd.Flags().Changed("max-disk") {
		c.Store.MaxGiB = f.maxDisk
	}
	c.Store.Archive = c.Store.Archive || f.archive
	if err := c.Check(); err != nil {
		return cfg, err
	}
	raw, err := os.ReadFile(filepath.Join(a.home, "genesis.cbor"))
	if errors.Is(err, os.ErrNotExist) {
		return cfg, usage("%s joined no network yet; run `openledger node --home %s --join FILE`", a.home, a.home)
	}
	if err != nil {
		return cfg, err
	}
	doc, err := genesis.Decode(raw)
	if err != nil {
		return cfg, usage("%s: %v", filepath.Join(a.home, "genesis.cbor"), err)
	}
	cfg = node.Config{Home: a.home, Settings: c, Genesis: doc, Lie: f.lie, Log: logger(cmd.ErrOrStderr(), c.Log)}
	if c.Keys.Unlock != "prompt" && a.unlock == "prompt" {
		a.unlock = c.Keys.Unlock
	}
	if cfg.Validator, err = a.unlockNamed(cmd, c.Keys.Validator); err != nil {
		return cfg, err
	}
	if cfg.Operator, err = a.unlockNamed(cmd, c.Work.Key); err != nil {
		return cfg, err
	}
	return cfg, nil
}

// cards puts the flags that were given in the place of settings.
func (f nodeFlags) cards(cmd *cobra.Command, c *config.GPU) {
	given := cmd.Flags().Changed
	for _, s := range []struct {
		flag      string
		to, value *string
	}{{"gpu", &c.Devices, &f.gpu.Devices}, {"gpu-mem", &c.Memory, &f.gpu.Memory}, {"gpu-share", &c.Share, &f.gpu.Share}, {"gpu-schedule", &c.Schedule, &f.gpu.Schedule}} {
		if given(s.flag) {
			*s.to = *s.value
		}
	}
	if given("gpu-max-temp") {
		c.MaxTemp = f.gpu.MaxTemp
	}
}

// runNode runs a node until it stops. Where a snapshot has replaced its ledger, it
// starts again from there.
func runNode(ctx context.Context, cfg node.Config) error {
	for {
		n, err := node.New(cfg)
		if errors.Is(err, node.ErrHomeInUse) {
			return &exitError{exitLocked, err}
		}
		if err != nil {
			return err
		}
		switch err := n.Run(ctx); {
		case errors.Is(err, node.ErrRestart):
		case err != nil:
			return &exitError{exitFailure, err}
		default:
			return nil
		}
	}
}

// unlockNamed loads a key of the home; no name, no key.
func (a *app) unlockNamed(cmd *cobra.Command, name string) (keys.PrivateKey, error) {
	if name == "" {
		return keys.PrivateKey{}, nil
	}
	ks, err := a.keystore()
	if err != nil {
		return keys.PrivateKey{}, err
	}
	if _, err := ks.Entry(name); errors.Is(err, keystore.ErrNotFound) {
		return keys.PrivateKey{}, fmt.Errorf("%w; make it with `openledger keys new %s`", err, name)
	}
	pass, err := a.passphrase(cmd, "passphrase of key "+name+": ")
	if err != nil {
		return keys.PrivateKey{}, err
	}
	defer clear(pass)
	return ks.Load(name, pass)
}

func logger(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
