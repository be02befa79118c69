// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/proof"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/rpc/api"
)

func newQueryCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "query", Short: "Look at blocks, accounts, events and proofs", Args: cobra.NoArgs}
	cmd.AddCommand(newQueryHeadCmd(a), newQueryHeaderCmd(a), newQueryBlockCmd(a), newQueryAccountCmd(a), newQueryParamsCmd(a),
		newQuerySupplyCmd(a), newQueryEventsCmd(a), newQueryValidatorsCmd(a), newQueryGenesisCmd(a), newQueryProofCmd(a))
	return cmd
}

// query calls a method without parameters of its own and prints the answer.
func query[P, R any](a *app, cmd *cobra.Command, method func(context.Context, P) (R, error), p P, text func(io.Writer, R)) error {
	return a.call(cmd, func(ctx context.Context) error {
		r, err := method(ctx, p)
		if err != nil {
			return err
		}
		return a.print(cmd, r, func(w io.Writer) { text(w, r) })
	})
}

// proveFlags ask for a proof and say where it goes.
type proveFlags struct {
	prove bool
	out   string
}

func (f *proveFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.out, "out", "", "write the proof to this file, for `openledger verify proof`")
}

func newQueryAccountCmd(a *app) *cobra.Command {
	var f proveFlags
	cmd := &cobra.Command{
		Use: "account [ADDRESS]", Short: "Show an account: an address, or the name of a key of --home", Args: cobra.MaximumNArgs(1),
		Example: "  openledger query account alice\n  openledger query account alice --prove --out account.proof",
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := a.addressOf(args)
			if err != nil {
				return err
			}
			f.prove = f.prove || f.out != ""
			return a.call(cmd, func(ctx context.Context) error {
				v, err := a.client().AccountGet(ctx, api.AccountParams{Address: address, Prove: f.prove})
				if err != nil {
					return err
				}
				report, err := a.checkProof(ctx, v.Proof, state.AccountKey(address), f)
				if err == nil && f.prove {
					err = matchesProof(v)
				}
				if err != nil {
					return err
				}
				return a.print(cmd, v, func(w io.Writer) {
					fmt.Fprintf(w, "%s  balance %s  nonce %d  pending %d  at height %d\n", v.Address, v.Balance, v.Nonce, v.Pending, v.Height)
					if v.Operator != nil {
						fmt.Fprintf(w, "operator  device %s  bond %s\n", v.Operator.DeviceClass, v.Operator.Bond)
					}
					printProven(w, report)
				})
			})
		},
	}
	cmd.Flags().BoolVar(&f.prove, "prove", false, "ask for a proof and check it")
	f.bind(cmd)
	return cmd
}

// matchesProof compares what the node says of an account with what it proved.
func matchesProof(v api.AccountView) error {
	var proven state.Account
	if v.Proof.Value != nil {
		if err := enc.Decode(v.Proof.Value, &proven); err != nil {
			return fmt.Errorf("the account's record is malformed: %w", err)
		}
	}
	if proven.Free != v.Balance || proven.Nonce != v.Nonce {
		return &exitError{exitNo, fmt.Errorf("the node says balance %s and nonce %d, it proved balance %s and nonce %d", v.Balance, v.Nonce, proven.Free, proven.Nonce)}
	}
	return nil
}

// addressOf reads an address, a key's name, or takes the only key of the home.
func (a *app) addressOf(args []string) (keys.Address, error) {
	if len(args) == 1 && strings.HasPrefix(args[0], "open1") {
		return keys.ParseAddress(args[0])
	}
	ks, err := a.keystore()
	if err != nil {
		return keys.Address{}, err
	}
	name := a.from
	if len(args) == 1 {
		name = args[0]
	} else if name == "" {
		if name, err = onlyKey(ks, a.home); err != nil {
			return keys.Address{}, err
		}
	}
	e, err := ks.Entry(name)
	if errors.Is(err, keystore.ErrName) || errors.Is(err, keystore.ErrNotFound) {
		return keys.Address{}, fmt.Errorf("%q is no address, and %w", name, err)
	}
	return e.Address, err
}

// provable are the objects whose keys a person can name.
var provable = map[string]func(text string) ([]byte, error){
	"key":      func(s string) ([]byte, error) { return hex.DecodeString(strings.TrimPrefix(s, "0x")) },
	"account":  ofAddress(state.AccountKey),
	"operator": ofAddress(state.OperatorKey),
	"dataset":  ofID(state.DatasetKey),
	"datanet":  ofID(state.DatanetKey),
	"model":    ofID(state.ModelKey),
	"task":     ofID(state.TaskKey),
	"offer":    ofID(state.OfferKey),
	"channel":  ofID(state.ChannelKey),
	"commit":   ofID(state.CommitKey),
	"licence":  ofID(state.TermsKey),
	"poa":      ofID(state.AttributionKey),
}

func ofAddress(key func(keys.Address) []byte) func(string) ([]byte, error) {
	return func(s string) ([]byte, error) {
		address, err := keys.ParseAddress(s)
		return key(address), err
	}
}

func ofID(key func(state.ID) []byte) func(string) ([]byte, error) {
	return func(s string) ([]byte, error) {
		id, err := api.ParseHash(s)
		return key(id), err
	}
}

// proofKinds lists provable for people.
const proofKinds = "account, operator, dataset, datanet, model, task, offer, channel, commit, licence, poa, key"

// provableKey returns the state key of an object.
func provableKey(kind, id string) ([]byte, error) {
	parse, ok := provable[kind]
	if !ok {
		return nil, usage("%q is no kind; use one of %s", kind, proofKinds)
	}
	key, err := parse(id)
	if err != nil {
		return nil, usage("%s: %v", kind, err)
	}
	return key, nil
}

func newQueryProofCmd(a *app) *cobra.Command {
	f := proveFlags{prove: true}
	cmd := &cobra.Command{
		Use: "proof KIND ID", Short: "Prove what stands, or does not stand, at a key of the state", Args: cobra.ExactArgs(2),
		Long:    "Asks for a proof, checks it on this machine, and prints or writes it. KIND is one of " + proofKinds + "; ID is an address, an id, or for `key` the key in hex.",
		Example: "  openledger query proof dataset 0x… --out dataset.proof\n  openledger verify proof dataset.proof --genesis join.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := provableKey(args[0], args[1])
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context) error {
				p, err := a.client().ChainProof(ctx, api.ProofParams{Key: key})
				if err != nil {
					return err
				}
				report, err := a.checkProof(ctx, &p, key, f)
				if err != nil {
					return err
				}
				return a.print(cmd, p, func(w io.Writer) {
					value := "absent"
					if p.Value != nil {
						value = "0x" + hex.EncodeToString(p.Value)
					}
					fmt.Fprintf(w, "value %s\n", value)
					printProven(w, report)
				})
			})
		},
	}
	f.bind(cmd)
	return cmd
}

func printProven(w io.Writer, r proof.Report) {
	for _, line := range r.Passed {
		fmt.Fprintf(w, "checked: %s\n", line)
	}
	for _, line := range r.Open {
		fmt.Fprintf(w, "not checked: %s\n", line)
	}
}

// checkProof verifies a proof here, under the genesis of --home if it has one,
// and writes it to --out. A false proof is exit code 1.
func (a *app) checkProof(ctx context.Context, p *api.StateProof, key []byte, f proveFlags) (proof.Report, error) {
	if !f.prove {
		return proof.Report{}, nil
	}
	if p == nil {
		return proof.Report{}, errors.New("the node sent no proof")
	}
	s, err := proof.DecodeState(p.Statement)
	if err != nil {
		return proof.Report{}, fmt.Errorf("the node sent a malformed proof: %w", err)
	}
	t := proof.Trust{Header: s.Anchor.Header.Hash()}
	if raw, err := os.ReadFile(filepath.Join(a.home, "genesis.cbor")); err == nil {
		doc, err := genesis.Decode(raw)
		if err == nil {
			t, err = a.genesisTrust(ctx, doc, s.Epoch(), "")
		}
		if err != nil {
			return proof.Report{}, fmt.Errorf("%s: %w", filepath.Join(a.home, "genesis.cbor"), err)
		}
	}
	r, err := s.Verify(t)
	if err == nil && (!bytes.Equal(s.Key(), key) || !bytes.Equal(s.Value(), p.Value)) {
		err = errors.New("the proof is of another key or value")
	}
	if err != nil {
		return r, &exitError{exitNo, fmt.Errorf("the node's proof is false: %w", err)}
	}
	if f.out == "" {
		return r, nil
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return r, err
	}
	return r, os.WriteFile(f.out, append(text, '\n'), 0o644)
}
