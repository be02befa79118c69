// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/table"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/proof"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/pay"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/rpc/client"
)

type inferFlags struct {
	channelFlags
	model, csv, channel, receipts, maxPrice string
	list                                    bool
	wait                                    time.Duration
}

func newInferCmd(a *app) *cobra.Command {
	var f inferFlags
	cmd := &cobra.Command{
		Use: "infer [ROW]", Short: "Pay for answers of a model", Args: cobra.MaximumNArgs(1),
		Long: "Answers one row of numbers 0 to 255, or every row of a CSV file. A channel to the operator is reused, or opened if there is none.\n" +
			"Vouchers are signed here; what was promised is kept in --home, so that nothing is paid twice. Receipts name whose data spoke for the answer.",
		Example: "  openledger infer --model digits \"0,0,5,13,9,1,…\"\n  openledger infer --model digits --csv rows.csv --receipt-dir receipts --output json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.list {
				return a.inferList(cmd)
			}
			if f.model == "" || (len(args) == 1) == (f.csv != "") {
				return usage("name a model with --model, and give either a row or --csv FILE")
			}
			key, err := a.signer(cmd)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), f.wait)
			defer cancel()
			out, err := a.infer(ctx, cmd, key, f, args)
			if err != nil && len(out.Answers) == 0 {
				return err
			}
			return errors.Join(a.print(cmd, out, func(w io.Writer) { printInference(w, out) }), err)
		},
	}
	f.bind(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.model, "model", "", "name or id of a model (its cheapest offer), or id of an offer")
	fl.StringVar(&f.csv, "csv", "", "answer every row of this file; a last column beyond the features is compared as label")
	fl.StringVar(&f.channel, "channel", "", "pay from this channel")
	fl.StringVar(&f.receipts, "receipt-dir", "", "store each receipt here, for `openledger verify receipt`")
	fl.StringVar(&f.maxPrice, "max-price", "", "refuse a higher price per answer, in OPEN")
	fl.BoolVar(&f.list, "list", false, "list the open offers and end")
	fl.DurationVar(&f.wait, "wait", 5*time.Minute, "how long all answers may take")
	return cmd
}

func (a *app) inferList(cmd *cobra.Command) error {
	return a.call(cmd, func(ctx context.Context) error {
		l, err := a.client().InferModels(ctx, api.Empty{})
		if err != nil {
			return err
		}
		return a.print(cmd, l, func(w io.Writer) {
			for _, m := range l.Items {
				fmt.Fprintf(w, "%s  %-20s %s  %d features  operator %s\n", m.Offer, m.Name, m.Price, m.Features, m.Operator)
			}
		})
	})
}

// answered is one paid answer.
type answered struct {
	Label   uint64       `json:"label"`
	Price   fixed.Amount `json:"price"`
	Nonce   uint64       `json:"nonce"`
	Shares  []api.Share  `json:"shares"`
	Receipt string       `json:"receipt,omitempty"` // file
	Given   *int64       `json:"given,omitempty"`   // label in the file
}

// inference is the answer of `infer`.
type inference struct {
	Model   string       `json:"model"`
	Offer   api.Hash     `json:"offer"`
	Channel api.Hash     `json:"channel"`
	Answers []answered   `json:"answers"`
	Paid    fixed.Amount `json:"paid"`
	Right   *int         `json:"right,omitempty"` // answers equal to the file's labels
}

// infer pays for every row.
func (a *app) infer(ctx context.Context, cmd *cobra.Command, key keys.PrivateKey, f inferFlags, args []string) (inference, error) {
	c := a.client()
	offer, err := findOffer(ctx, c, f.model)
	if err != nil {
		return inference{}, err
	}
	out := inference{Model: offer.Name, Offer: offer.Offer, Answers: []answered{}}
	if f.maxPrice != "" {
		most, err := fixed.ParseAmount(f.maxPrice)
		if err != nil {
			return out, err
		}
		if offer.Price > most {
			return out, &exitError{exitRefused, fmt.Errorf("the price is %s, more than --max-price %s", offer.Price, most)}
		}
	}
	rows, labels, err := inputRows(f.csv, args, int(offer.Features))
	if err != nil {
		return out, err
	}
	p, err := a.payer(ctx, c, key)
	if err != nil {
		return out, payError(err)
	}
	defer p.Close()
	if out.Channel, err = a.payFrom(ctx, cmd, c, key, p, offer, f, len(rows)); err != nil {
		return out, err
	}
	keep, err := newReceiptFolder(ctx, c, f.receipts, offer)
	if err != nil {
		return out, err
	}
	right := 0
	for i, row := range rows {
		paid, err := p.Ask(ctx, out.Channel, offer, row)
		if err != nil {
			return out, payError(err)
		}
		fmt.Fprintf(a.progress(cmd), "\ranswer %d of %d", i+1, len(rows))
		if paid.Earlier != nil {
			if _, err := keep.store(*paid.Earlier); err != nil {
				return out, err
			}
			out.Paid += paid.Earlier.Price
		}
		one := newAnswered(paid)
		if one.Receipt, err = keep.store(paid); err != nil {
			return out, err
		}
		if labels != nil {
			one.Given = &labels[i]
			if labels[i] == int64(paid.Label) {
				right++
			}
			out.Right = &right
		}
		out.Answers, out.Paid = append(out.Answers, one), out.Paid+paid.Price
	}
	fmt.Fprintln(a.progress(cmd))
	return out, nil
}

func newAnswered(p pay.Paid) answered {
	one := answered{Label: p.Label, Price: p.Price, Nonce: p.Receipt.Receipt.Nonce, Shares: []api.Share{}}
	for _, x := range p.Receipt.Receipt.Attr {
		one.Shares = append(one.Shares, api.Share{Owner: x.Owner, Weight: x.Weight})
	}
	return one
}

// payFrom returns the channel to pay from, and opens one if there is none.
func (a *app) payFrom(ctx context.Context, cmd *cobra.Command, c *client.Client, key keys.PrivateKey, p *pay.Payer, offer api.Served, f inferFlags, rows int) (api.Hash, error) {
	if f.channel != "" {
		id, err := api.ParseHash(f.channel)
		if err != nil {
			return id, usage("--channel: %v", err)
		}
		return id, payError(p.Add(ctx, id))
	}
	need, err := fixed.MulDiv(uint64(offer.Price), uint64(rows), 1)
	if err != nil {
		return api.Hash{}, usage("%d rows at %s cost more than there is", rows, offer.Price)
	}
	id, err := p.Find(ctx, offer.Operator, fixed.Amount(need))
	if !errors.Is(err, pay.ErrNoChannel) {
		return id, payError(err)
	}
	open := f.channelFlags
	deposit, err := fixed.ParseAmount(open.deposit)
	if err != nil {
		return id, err
	}
	if deposit < fixed.Amount(need) {
		if cmd.Flags().Changed("deposit") {
			return id, usage("%d answers cost %s, more than --deposit %s", rows, fixed.Amount(need), deposit)
		}
		open.deposit = fixed.Amount(need).String()
	}
	made, err := a.openChannel(ctx, c, key, p, offer.Operator, open)
	if err == nil {
		fmt.Fprintf(a.progress(cmd), "channel %s opened with %s\n", made.ID, open.deposit)
	}
	return made.ID, err
}

// payError gives the errors of node/pay their exit codes.
func payError(err error) error {
	switch {
	case errors.Is(err, pay.ErrInUse):
		return &exitError{exitLocked, err}
	case errors.Is(err, pay.ErrNoChannel):
		return &exitError{exitRefused, fmt.Errorf("%w; open one with `openledger channel open`", err)}
	case errors.Is(err, pay.ErrAnswer):
		return &exitError{exitNo, err}
	}
	return err
}

// inputRows reads the rows to answer: from the command line, or from a CSV file
// with or without labels.
func inputRows(path string, args []string, features int) (rows [][]byte, labels []int64, err error) {
	name, text := path, []byte(nil)
	if path == "" {
		name, text = "row", []byte(args[0]+"\n")
	} else if text, err = readData(path); err != nil {
		return nil, nil, err
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	labelled := path != "" && bytes.Count(first, []byte(",")) == features
	t, err := table.Parse(name, text, table.Options{Unlabeled: !labelled})
	if err != nil {
		return nil, nil, usage("%v", err)
	}
	cells, ok := t.Uint8()
	if !ok {
		return nil, nil, usage("%v", t.NotUint8())
	}
	if t.Features != features {
		return nil, nil, usage("%s has %d numbers in a row, the model takes %d", name, t.Features, features)
	}
	for i := range t.Rows {
		rows = append(rows, cells[i*features:(i+1)*features])
	}
	return rows, t.Labels, nil
}

// receiptFolder stores receipts with the proofs of their terms.
type receiptFolder struct {
	dir   string
	chain [32]byte
	terms *proof.Terms
}

// termsTries is how often the three proofs are asked for until they stand under
// one header.
const termsTries = 20

// newReceiptFolder fetches the proofs of offer, model and parameters once: they
// do not change. Without dir it stores nothing.
func newReceiptFolder(ctx context.Context, c *client.Client, dir string, offer api.Served) (receiptFolder, error) {
	if dir == "" {
		return receiptFolder{}, nil
	}
	s, err := c.NodeStatus(ctx, api.Empty{})
	if err != nil {
		return receiptFolder{}, err
	}
	out := receiptFolder{dir: dir, chain: s.Chain}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return out, usage("--receipt-dir: %v", err)
	}
	keysOf := [][]byte{state.OfferKey(offer.Offer), state.ModelKey(offer.Model), state.ParamsKey()}
	for range termsTries {
		var st [3]proof.State
		for i, k := range keysOf {
			p, err := c.ChainProof(ctx, api.ProofParams{Key: k})
			if err != nil {
				return out, err
			}
			if st[i], err = proof.DecodeState(p.Statement); err != nil {
				return out, err
			}
		}
		if h := st[0].Anchor.Header.Height; st[1].Anchor.Header.Height == h && st[2].Anchor.Header.Height == h {
			out.terms = &proof.Terms{Anchor: st[0].Anchor, Offer: st[0].Proof, Model: st[1].Proof, Params: st[2].Proof}
			return out, nil
		}
	}
	return out, nil // receipts alone: the operator's signature can still be checked
}

// store writes a receipt and returns its file, "" without a folder.
func (r receiptFolder) store(p pay.Paid) (string, error) {
	if r.dir == "" {
		return "", nil
	}
	b, err := json.MarshalIndent(proof.NewReceipt(r.chain, p.Receipt, r.terms), "", " ")
	if err != nil {
		return "", err
	}
	name := filepath.Join(r.dir, fmt.Sprintf("%s-%06d.json", p.Channel.String()[2:10], p.Receipt.Receipt.Nonce))
	return name, os.WriteFile(name, append(b, '\n'), 0o644)
}

func printInference(w io.Writer, out inference) {
	for _, x := range out.Answers {
		fmt.Fprintf(w, "label %d  %s  receipt %d", x.Label, x.Price, x.Nonce)
		if x.Given != nil && *x.Given != int64(x.Label) {
			fmt.Fprintf(w, "  (the file says %d)", *x.Given)
		}
		fmt.Fprintln(w)
		if len(out.Answers) > 1 {
			continue
		}
		for _, s := range x.Shares {
			fmt.Fprintf(w, "  %s  %s\n", s.Owner, percent(s.Weight))
		}
		if len(x.Shares) == 0 {
			fmt.Fprintln(w, "  no contributor's data speaks for this answer")
		}
	}
	fmt.Fprintf(w, "%d answers  paid %s  channel %s\n", len(out.Answers), out.Paid, out.Channel)
	if out.Right != nil {
		fmt.Fprintf(w, "%d of %d equal to the file's labels\n", *out.Right, len(out.Answers))
	}
}

// percent prints a weight of 2^40 with two decimals, rounded down.
func percent(weight uint64) string {
	p, err := fixed.MulDiv(weight, 10_000, econ.TotalWeight)
	if err != nil {
		return "?"
	}
	return fmt.Sprintf("%d.%02d %%", p/100, p%100)
}
