// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/proof"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
	"github.com/openledger/openledger/testnet/bundle"
)

// trustFlags are what the reader of a statement knows from elsewhere.
type trustFlags struct{ header, set, genesis, seals string }

func (f *trustFlags) bind(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.header, "header", "", "hash of a block that you know to be final")
	fl.StringVar(&f.set, "set", "", "hash of the validator set that you trust")
	fl.StringVar(&f.genesis, "genesis", "", "network file or genesis document whose validators you trust")
	fl.StringVar(&f.seals, "seals", "", "seals of the epochs since, from `openledger light --seals FILE`; without it the node at --node is asked for them")
}

// trust reads the flags, for a statement of a validator epoch.
func (f trustFlags) trust(ctx context.Context, a *app, epoch uint64) (t proof.Trust, err error) {
	if f.header != "" {
		h, err := api.ParseHash(f.header)
		if err != nil {
			return t, usage("--header: %v", err)
		}
		t.Header = h
	}
	if f.set != "" {
		h, err := api.ParseHash(f.set)
		if err != nil {
			return t, usage("--set: %v", err)
		}
		t.Set = h
	}
	if f.genesis != "" {
		doc, err := readGenesis(f.genesis)
		if err != nil {
			return t, usage("--genesis: %v", err)
		}
		if t.ChainID = doc.ChainID(); f.set == "" && f.header == "" {
			return a.genesisTrust(ctx, doc, epoch, f.seals)
		}
	}
	return t, nil
}

// genesisTrust trusts the validators of a genesis document and those that they and
// their successors have elected for an epoch: it follows the seals in a file, or
// those of the node at --node, which is believed nothing.
func (a *app) genesisTrust(ctx context.Context, doc genesis.Doc, epoch uint64, file string) (proof.Trust, error) {
	l, err := startLight(ctx, nil, doc, lightFlags{})
	if err != nil {
		return proof.Trust{}, err
	}
	if file != "" {
		err = followFile(l, epoch, file)
	} else if epoch > l.Set().Epoch() {
		err = a.client().Follow(ctx, l, epoch, nil)
	}
	if errors.Is(err, client.ErrFalse) {
		return proof.Trust{}, &exitError{exitNo, err}
	}
	if err == nil && l.Set().Epoch() != epoch {
		err = fmt.Errorf("seals lead to epoch %d only", l.Set().Epoch())
	}
	if err != nil {
		return proof.Trust{}, usage("the statement is of epoch %d, whose validators the genesis does not name, and the way there is missing: %v; give --node of a running node, --seals FILE (`openledger light --seals FILE` writes it) or --set HASH", epoch, err)
	}
	return proof.Trust{ChainID: doc.ChainID(), Set: l.Set().Hash()}, nil
}

// readGenesis reads a network file, or the bytes of a genesis document.
func readGenesis(path string) (genesis.Doc, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return genesis.Doc{}, err
	}
	if t := bytes.TrimSpace(b); len(t) > 0 && t[0] == '{' {
		file, err := bundle.Parse(b)
		if err != nil {
			return genesis.Doc{}, err
		}
		return file.Doc()
	}
	return genesis.Decode(b)
}

func newVerifyCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "verify", Short: "Check receipts, payouts and proofs offline", Args: cobra.NoArgs,
		Long: "Recomputes every term of a statement on this machine. A node is asked only for the seals of the epochs since the genesis, and believed nothing. Exit code 0: it holds. 1: it is false. 2: the file cannot be read.\n" +
			"Trust begins with one thing that you know: a block hash, a validator set hash, or the genesis."}
	cmd.AddCommand(
		newVerifyKindCmd(a, "receipt", "Check an answer's receipt: signature and, with its proofs, price and shares",
			"openledger verify receipt receipts/1f00aa21-000001.json --genesis join.json", is[*proof.Receipt]),
		newVerifyKindCmd(a, "payout", "Check why an account was paid what it was paid",
			"openledger verify payout why.json --genesis join.json", is[*proof.Why]),
		newVerifyKindCmd(a, "proof", "Check what stands, or does not stand, at a key of the state",
			"openledger verify proof account.proof --header 0x…", is[*proof.State]),
		newVerifyForkCmd(a),
	)
	return cmd
}

func is[T proof.Statement](s proof.Statement) bool {
	_, ok := s.(T)
	return ok
}

// verified is the answer of `verify` and `why`.
type verified struct {
	Valid  bool     `json:"valid"`
	Failed string   `json:"failed,omitempty"` // the first check that failed
	Passed []string `json:"passed"`
	Open   []string `json:"open"`
}

func newVerifyKindCmd(a *app, kind, short, example string, right func(proof.Statement) bool) *cobra.Command {
	var f trustFlags
	cmd := &cobra.Command{
		Use: kind + " FILE", Short: short, Args: cobra.ExactArgs(1), Example: "  " + example,
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return usage("%v", err)
			}
			s, err := proof.Open(b)
			if errors.Is(err, proof.ErrFalse) {
				return a.printVerdict(cmd, proof.Report{}, err)
			}
			if err != nil {
				return usage("%s: %v", args[0], err)
			}
			if !right(s) {
				return usage("%s is no %s; see `openledger verify --help`", args[0], kind)
			}
			return a.call(cmd, func(ctx context.Context) error {
				t, err := f.trust(ctx, a, s.Epoch())
				if err != nil {
					return err
				}
				r, err := s.Verify(t)
				if errors.Is(err, proof.ErrTrust) {
					return usage("%v with --header, --set or --genesis", err)
				}
				return a.printVerdict(cmd, r, err)
			})
		},
	}
	f.bind(cmd)
	return cmd
}

// printVerdict prints a report; a false statement is exit code 1.
func (a *app) printVerdict(cmd *cobra.Command, r proof.Report, failed error) error {
	v := newVerified(r, failed)
	err := a.print(cmd, v, func(w io.Writer) { printVerified(w, r, v) })
	if err == nil && failed != nil {
		err = &exitError{exitNo, failed}
	}
	return err
}

func newVerified(r proof.Report, failed error) verified {
	v := verified{Valid: failed == nil, Passed: append([]string{}, r.Passed...), Open: append([]string{}, r.Open...)}
	if failed != nil {
		v.Failed = failed.Error()
	}
	return v
}

func printVerified(w io.Writer, r proof.Report, v verified) {
	if v.Valid {
		fmt.Fprintln(w, r)
	} else {
		fmt.Fprintln(w, v.Failed)
	}
	for _, p := range v.Passed {
		fmt.Fprintf(w, "  holds  %s\n", p)
	}
	for _, o := range v.Open {
		fmt.Fprintf(w, "  not shown  %s\n", o)
	}
}
