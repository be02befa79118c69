// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/proof"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

// lightFlags say where trust begins.
type lightFlags struct {
	genesis, trust, seals string
	period                time.Duration
}

// lightAnswer is what a light client found out. Everything in it was checked.
type lightAnswer struct {
	Chain       api.Hash      `json:"chain"`
	Epoch       uint64        `json:"epoch"`
	Epochs      int           `json:"epochs_followed"`
	Validators  int           `json:"validators"`
	Set         api.Hash      `json:"set"`
	Height      uint64        `json:"height"` // of the header that was checked
	Header      api.Hash      `json:"header"`
	StateHeight uint64        `json:"state_height"` // of the last block in the state
	Key         string        `json:"key,omitempty"`
	Value       string        `json:"value,omitempty"`   // hex; absent if nothing stands there
	Balance     *fixed.Amount `json:"balance,omitempty"` // of an account
	Nonce       *uint64       `json:"nonce,omitempty"`
	Checked     []string      `json:"checked"`
}

func newLightCmd(a *app) *cobra.Command {
	var f lightFlags
	cmd := &cobra.Command{
		Use: "light [KIND [ID]]", Short: "Check a balance or any object without a node of your own", Args: cobra.MatchAll(cobra.MaximumNArgs(2), oneIsMissing),
		Long: "Starts from a network file or from one block hash that you trust, follows the validators of every epoch since by their certificates, and\n" +
			"checks a proof of the present state against a header that they signed. The node at --node is asked for everything and believed nothing.\n" +
			"KIND is one of " + proofKinds + "; an account may be the name of a key. Without KIND the newest set is shown. Exit code 1: the node's answer is false.",
		Example: "  openledger light account open1… --genesis join.json\n  openledger light --genesis join.json --output json\n" +
			"  openledger light dataset 0x… --genesis join.json --trust 120:0x…",
		RunE: func(cmd *cobra.Command, args []string) error {
			var key []byte
			var err error
			switch {
			case len(args) > 0 && args[0] == "account":
				address, err := a.addressOf(args[1:])
				if err != nil {
					return err
				}
				key = state.AccountKey(address)
			case len(args) == 2:
				if key, err = provableKey(args[0], args[1]); err != nil {
					return err
				}
			}
			return a.call(cmd, func(ctx context.Context) error {
				r, err := a.light(ctx, f, key)
				if errors.Is(err, client.ErrFalse) || errors.Is(err, proof.ErrFalse) {
					return &exitError{exitNo, err}
				}
				if err != nil {
					return err
				}
				if len(args) > 0 && args[0] == "account" {
					if err := r.account(); err != nil {
						return &exitError{exitNo, err}
					}
				}
				return a.print(cmd, r, func(w io.Writer) { printLight(w, r, args) })
			})
		},
	}
	f.bind(cmd)
	return cmd
}

func (f *lightFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.genesis, "genesis", "", "network file or genesis document of the network (default: that of --home)")
	cmd.Flags().StringVar(&f.trust, "trust", "", "HEIGHT:HASH of a final block that you trust; without it trust begins with the genesis")
	cmd.Flags().StringVar(&f.seals, "seals", "", "write the seals to this file, for `openledger verify` without a node")
	cmd.Flags().DurationVar(&f.period, "trust-period", 0, "refuse a --trust that is older (default: two thirds of the unbonding time in the genesis)")
}

// oneIsMissing refuses a kind without an id.
func oneIsMissing(_ *cobra.Command, args []string) error {
	if len(args) == 1 && args[0] != "account" {
		return usage("%s: which one? write KIND and ID", args[0])
	}
	return nil
}

// light follows the epochs and checks what stands at key, if one is given.
func (a *app) light(ctx context.Context, f lightFlags, key []byte) (*lightAnswer, error) {
	doc, err := a.genesisOf(f.genesis)
	if err != nil {
		return nil, err
	}
	c := a.client()
	l, err := startLight(ctx, c, doc, f)
	if err != nil {
		return nil, err
	}
	r := &lightAnswer{Chain: doc.ChainID()}
	var list []cert.Seal
	count := func(s *cert.Seal) { r.Epochs, list = r.Epochs+1, append(list, *s) }
	for {
		if err := c.Follow(ctx, l, math.MaxUint64, count); err != nil {
			return nil, err
		}
		again, err := r.check(ctx, c, l, key)
		if err == nil && !again && f.seals != "" {
			err = os.WriteFile(f.seals, enc.Encode(list), 0o644)
		}
		if err != nil || !again {
			return r, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the node's seals do not lead to its newest block; ask another one with --node: %w", ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// check asks for a proof of key and checks it under the present set. The epoch may
// have ended since: then it says so, and the caller follows once more.
func (r *lightAnswer) check(ctx context.Context, c *client.Client, l *cert.Light, key []byte) (again bool, err error) {
	at := key
	if at == nil {
		at = state.ClockKey() // every state has one
	}
	got, err := c.ChainProof(ctx, api.ProofParams{Key: at})
	if err != nil {
		return false, err
	}
	s, err := proof.DecodeState(got.Statement)
	if err != nil {
		return false, fmt.Errorf("%w: %w", client.ErrFalse, err)
	}
	h := &s.Anchor.Header
	if h.Epoch > l.Set().Epoch() {
		return true, nil // the epoch has ended since
	}
	if at := l.At(); h.Epoch < l.Set().Epoch() && h.Hash() != at.Hash() {
		return true, nil // a node behind its own seals; the seal itself would do
	}
	if err := l.Check(&s.Anchor.Final, h, &s.Proof); err != nil {
		return false, fmt.Errorf("%w: %w", client.ErrFalse, err)
	}
	if !bytes.Equal(s.Key(), at) {
		return false, fmt.Errorf("%w: a proof of another key", client.ErrFalse)
	}
	r.fill(l, &s, key)
	return false, nil
}

// fill writes down what was checked.
func (r *lightAnswer) fill(l *cert.Light, s *proof.State, key []byte) {
	h := &s.Anchor.Header
	r.Epoch, r.Validators, r.Set = l.Set().Epoch(), l.Set().Len(), l.Set().Hash()
	r.Height, r.Header, r.StateHeight = h.Height, h.Hash(), s.Anchor.StateHeight()
	r.Checked = []string{fmt.Sprintf("seals followed: %d, each signed by a quorum of the validators before it", r.Epochs)}
	if at := l.At(); r.Header == at.Hash() {
		r.Checked = append(r.Checked, fmt.Sprintf("block %d is the one that begins epoch %d", h.Height, r.Epoch))
	} else {
		r.Checked = append(r.Checked, fmt.Sprintf("block %d is final: %d of %d validators of epoch %d signed", h.Height, s.Anchor.Final.Finalization.Count(), r.Validators, r.Epoch))
	}
	if key == nil {
		return
	}
	r.Key = hex.EncodeToString(key)
	what := "has this value"
	if v := s.Value(); v != nil {
		r.Value = hex.EncodeToString(v)
	} else {
		what = "is absent"
	}
	r.Checked = append(r.Checked, fmt.Sprintf("key %s %s after block %d", r.Key, what, r.StateHeight))
}

// account reads the proven value as an account; nothing there is an empty one.
func (r *lightAnswer) account() error {
	var acc state.Account
	b, err := hex.DecodeString(r.Value)
	if err == nil && len(b) > 0 {
		err = enc.Decode(b, &acc)
	}
	r.Balance, r.Nonce = &acc.Free, &acc.Nonce
	return err
}

func printLight(w io.Writer, r *lightAnswer, args []string) {
	switch {
	case r.Balance != nil:
		fmt.Fprintf(w, "balance %v, nonce %d\n", *r.Balance, *r.Nonce)
	case r.Key != "" && r.Value == "":
		fmt.Fprintf(w, "there is no %s %s\n", args[0], args[1])
	case r.Key != "":
		fmt.Fprintf(w, "value 0x%s\n", r.Value)
	}
	fmt.Fprintf(w, "after block %d, epoch %d, %d validators, set %s\n", r.StateHeight, r.Epoch, r.Validators, r.Set)
	for _, c := range r.Checked {
		fmt.Fprintf(w, "  holds  %s\n", c)
	}
}

// startLight begins at the genesis, or at --trust.
func startLight(ctx context.Context, c *client.Client, doc genesis.Doc, f lightFlags) (*cert.Light, error) {
	first, err := doc.ValidatorSet()
	if err != nil {
		return nil, err
	}
	if f.trust == "" {
		h, err := doc.Header()
		if err != nil {
			return nil, err
		}
		return cert.NewLight(h, first)
	}
	height, hash, err := parseTrust(f.trust)
	if err != nil {
		return nil, err
	}
	l, err := c.Start(ctx, height, hash, first)
	if err != nil {
		return nil, err
	}
	at := l.At()
	if at.ChainID != doc.ChainID() {
		return nil, usage("--trust is a block of another network than the genesis")
	}
	period := uint64(f.period.Milliseconds())
	if period == 0 {
		period = doc.Params.Staking.UnbondingMS * 2 / 3
	}
	if err := l.Expired(uint64(time.Now().UnixMilli()), period); err != nil {
		return nil, usage("--trust: %v; get the hash of a newer block from somebody you trust", err)
	}
	return l, nil
}

// followFile follows the seals that a light client has written down, up to an epoch.
func followFile(l *cert.Light, epoch uint64, file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var list []cert.Seal
	if err := enc.Decode(b, &list); err != nil {
		return fmt.Errorf("%s holds no seals: %w", file, err)
	}
	for i := range list {
		if s := &list[i]; s.Header.Epoch == l.Set().Epoch() && s.Header.Epoch < epoch {
			if err := l.Take(s); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

// parseTrust reads HEIGHT:HASH.
func parseTrust(s string) (height uint64, hash [32]byte, err error) {
	left, right, ok := strings.Cut(s, ":")
	height, err1 := strconv.ParseUint(left, 10, 64)
	h, err2 := api.ParseHash(right)
	if !ok || err1 != nil || err2 != nil || height == 0 {
		return 0, hash, usage("--trust %q: write HEIGHT:HASH of a final block, as `openledger query header HEIGHT` shows them", s)
	}
	return height, h, nil
}

// genesisOf reads the genesis of --genesis, or that of --home.
func (a *app) genesisOf(path string) (genesis.Doc, error) {
	if path == "" {
		path = filepath.Join(a.home, "genesis.cbor")
		if _, err := os.Stat(path); err != nil {
			return genesis.Doc{}, usage("which network? give its network file with --genesis FILE")
		}
	}
	doc, err := readGenesis(path)
	if err != nil {
		return doc, usage("--genesis: %v", err)
	}
	return doc, nil
}
