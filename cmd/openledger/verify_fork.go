// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/node/accuse"
	"github.com/openledger/openledger/node/store"
)

// forked is the answer of `verify fork`.
type forked struct {
	Fork     bool      `json:"fork"`
	Height   uint64    `json:"height"`           // first that differs; without a fork the last that both have
	Blocks   []string  `json:"blocks,omitempty"` // at height, in A and in B
	Epoch    uint64    `json:"epoch"`
	Power    uint64    `json:"power"`  // of the guilty
	Total    uint64    `json:"total"`  // of the set
	Faulty   uint64    `json:"faulty"` // f, which power must exceed
	Guilty   []culprit `json:"guilty"`
	Evidence []string  `json:"evidence"` // hex, each to be checked by anybody
}

type culprit struct {
	Index   int    `json:"index"`
	Address string `json:"address"`
	Key     string `json:"key"`
	Power   uint64 `json:"power"`
	Kind    string `json:"kind"`
	View    uint64 `json:"view"`
}

func newVerifyForkCmd(a *app) *cobra.Command {
	var genesisFile string
	cmd := &cobra.Command{
		Use: "fork A B", Short: "Name who is guilty of a fork, from the homes of two stopped nodes", Args: cobra.ExactArgs(2),
		Long: "Compares the ledgers in two homes. If they conflict, validators of more than a third of the power signed both sides;\n" +
			"they are named by their own signatures, for a recovery genesis. Nothing is changed and no node is asked.\n" +
			"Exit code 0: the chains agree as far as both go. 1: they conflict, and the guilty are named. 2: a home cannot be read.\n" +
			"6: they conflict, but the records do not suffice to name anybody.",
		Example: "  openledger verify fork /var/lib/openledger /mnt/other-node\n  openledger verify fork a b --output json > fork.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := verifyFork(args[0], args[1], genesisFile)
			if err != nil && !v.Forked {
				return usage("%v", err)
			}
			out := newForked(v)
			if perr := a.print(cmd, out, func(w io.Writer) { printForked(w, out) }); perr != nil {
				return perr
			}
			switch {
			case err != nil:
				return &exitError{exitNotFound, err}
			case v.Forked:
				return &exitError{exitNo, fmt.Errorf("the chains conflict at height %d", v.Height)}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&genesisFile, "genesis", "", "network file or genesis document, for the set of the first epoch")
	return cmd
}

func verifyFork(pathA, pathB, genesisFile string) (v accuse.Verdict, err error) {
	var sides [2]*store.Reader
	var sets []*valset.Set
	for i, path := range []string{pathA, pathB} {
		r, err := store.OpenRead(path)
		if errors.Is(err, store.ErrLocked) {
			return v, fmt.Errorf("%w; stop the node first", err)
		}
		if err != nil {
			return v, err
		}
		defer r.Close()
		sides[i] = r
		if known, err := accuse.Sets(r); err == nil { // a snapshot or pruned state may lack them
			sets = append(sets, known...)
		}
		raw, err := os.ReadFile(filepath.Join(path, "genesis.cbor"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		doc, err2 := genesis.Decode(raw)
		if err := errors.Join(err, err2); err != nil {
			return v, fmt.Errorf("%s: %w", path, err)
		}
		if s, err := doc.ValidatorSet(); err == nil {
			sets = append(sets, s)
		}
	}
	if genesisFile != "" {
		doc, err := readGenesis(genesisFile)
		if err != nil {
			return v, fmt.Errorf("--genesis: %w", err)
		}
		s, err := doc.ValidatorSet()
		if err != nil {
			return v, fmt.Errorf("--genesis: %w", err)
		}
		sets = append(sets, s)
	}
	return accuse.Fork(sides[0], sides[1], sets)
}

func newForked(v accuse.Verdict) forked {
	out := forked{Fork: v.Forked, Height: v.Height, Guilty: []culprit{}, Evidence: []string{}, Power: v.Power}
	if v.Forked {
		for _, b := range v.Blocks {
			out.Blocks = append(out.Blocks, "0x"+hex.EncodeToString(b[:]))
		}
	}
	if v.Set != nil {
		out.Epoch, out.Total, out.Faulty = v.Set.Epoch(), v.Set.Total(), v.Set.Faulty()
	}
	for _, o := range v.Guilty {
		e := v.Set.Entry(o.Index)
		out.Guilty = append(out.Guilty, culprit{o.Index, o.Address.String(), e.Key.String(), e.Power, o.Kind.String(), o.View})
	}
	for i := range v.Evidence {
		out.Evidence = append(out.Evidence, "0x"+hex.EncodeToString(v.Evidence[i].Encode()))
	}
	return out
}

func printForked(w io.Writer, f forked) {
	if !f.Fork {
		fmt.Fprintf(w, "no fork: the chains agree up to height %d, the last that both have\n", f.Height)
		return
	}
	fmt.Fprintf(w, "fork at height %d\n  A  %s\n  B  %s\n", f.Height, f.Blocks[0], f.Blocks[1])
	if len(f.Guilty) == 0 {
		return
	}
	fmt.Fprintf(w, "guilty in epoch %d: power %d of %d; without power above %d there is no fork\n", f.Epoch, f.Power, f.Total, f.Faulty)
	for _, g := range f.Guilty {
		fmt.Fprintf(w, "  %s  power %d  %s in view %d  (validator %d, key %s)\n", g.Address, g.Power, g.Kind, g.View, g.Index, g.Key)
	}
}
