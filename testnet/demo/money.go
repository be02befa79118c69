// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/proof"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/testnet/localnet"
)

// The price of one answer.
const (
	ask     = 2 * fixed.OPEN / 100
	royalty = fixed.OPEN / 100
	answers = 24
	deposit = 5 * fixed.OPEN
)

const (
	waitServed  = 30 * time.Second
	channelLife = 20 * 60_000 // milliseconds
	channelWait = 100_000     // window of a close by the payer
)

// paid is what the money beats carry from one to the next.
type paid struct {
	lie      tx.ID // the refuted task
	operator localnet.Node
	channel  tx.ID
	receipts []receipt.SignedReceipt
	chainID  tx.ID
	commits  []api.Item[receipt.Commit]
}

// answers is the beat in which an operator serves the model and a user pays for
// each answer with a signed voucher. The user asks a node that does not serve;
// it forwards.
func (s *story) answers(ctx context.Context) error {
	if err := s.offerModel(ctx); err != nil {
		return err
	}
	rows := strings.Split(strings.TrimSpace(string(s.data.valid)), "\n")
	right := 0
	for i := range answers {
		row := rows[i*len(rows)/answers]
		label, err := s.ask(ctx, uint64(i), row)
		if err != nil {
			return fmt.Errorf("answer %d: %w", i, err)
		}
		if strings.HasSuffix(row, ","+strconv.FormatUint(label, 10)) {
			right++
		}
	}
	s.r.FeesPaid = answers * (ask + royalty)
	s.fact("%d paid answers, %d of them right, %s each; each receipt is signed by the operator and names the contributors' shares", answers, right, fixed.Amount(ask+royalty))
	s.try("verify receipt %s", s.receiptPath(0))
	return nil
}

// offerModel posts the offer of the honest worker and opens the user's channel.
func (s *story) offerModel(ctx context.Context) error {
	s.paid.operator = s.net.Nodes[s.r.Validators]
	key, err := s.paid.operator.OperatorKey()
	if err != nil {
		return err
	}
	s.key["operator"] = key
	st, err := s.c.NodeStatus(ctx, api.Empty{})
	if err != nil {
		return err
	}
	s.paid.chainID = st.Chain
	now, err := s.c.ChainHead(ctx, api.Empty{})
	if err != nil {
		return err
	}
	until1 := now.TimeMS + channelLife
	if s.offer, err = s.create(ctx, "operator", &tx.OfferPost{Model: s.model, Ask: ask, ValidUntil: until1}); err != nil {
		return err
	}
	if s.paid.channel, err = s.create(ctx, payer, &tx.ChannelOpen{Payee: s.address("operator"), Deposit: deposit, WindowMS: channelWait,
		ExpiryMS: until1, MaxLanes: 4}); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.o.Dir, "receipts"), 0o755); err != nil {
		return err
	}
	return until(ctx, "the operator serves the model", waitServed, func(ctx context.Context) (bool, error) {
		l, err := s.paid.operator.Client().InferModels(ctx, api.Empty{})
		for _, m := range l.Items {
			if m.Offer == s.offer && m.Local {
				return true, nil
			}
		}
		return false, err
	})
}

// ask pays for one answer and checks its receipt.
func (s *story) ask(ctx context.Context, i uint64, row string) (uint64, error) {
	cells := strings.Split(row, ",")
	features := make([]uint64, len(cells)-1)
	for k := range features {
		v, err := strconv.ParseUint(cells[k], 10, 8)
		if err != nil {
			return 0, err
		}
		features[k] = v
	}
	head, err := s.c.ChainHead(ctx, api.Empty{})
	if err != nil {
		return 0, err
	}
	v := channel.Voucher{Channel: s.paid.channel, Offer: s.offer, Nonce: i + 1, Cum: fixed.Amount(i+1) * (ask + royalty), ExpiryMS: head.TimeMS + channelLife/2}
	a, err := s.c.InferRun(ctx, api.InferParams{Voucher: channel.Sign(s.key[payer], s.paid.chainID, v), Features: features})
	if err != nil {
		return 0, err
	}
	signed, err := receipt.Decode(a.Receipt)
	if err != nil {
		return 0, err
	}
	st := proof.NewReceipt(s.paid.chainID, signed, nil)
	if _, err := st.Verify(proof.Trust{ChainID: s.paid.chainID}); err != nil {
		return 0, err
	}
	r := signed.Receipt
	if err := check(signed.Operator() == s.address("operator") && r.Gross == ask+royalty && r.Cum == v.Cum && r.Offer == s.offer, "receipt %d is for another request", i); err != nil {
		return 0, err
	}
	line := fmt.Sprint(a.Label)
	for _, who := range contributors {
		for _, x := range r.Attr {
			if x.Owner == s.address(who) {
				line += fmt.Sprintf(" %s:%d", who, x.Weight)
			}
		}
	}
	s.digest.add(fmt.Sprintf("answer %d", i), line)
	s.paid.receipts = append(s.paid.receipts, signed)
	return a.Label, os.WriteFile(s.receiptPath(i), st.Encode(), 0o644)
}

func (s *story) receiptPath(i uint64) string {
	return filepath.Join(s.o.Dir, "receipts", fmt.Sprintf("answer-%02d.receipt", i))
}

// expected is what the receipts owe the contributors, recomputed here.
func (s *story) expected() (fixed.Amount, error) {
	list := make([]receipt.Receipt, len(s.paid.receipts))
	for i, r := range s.paid.receipts {
		list[i] = r.Receipt
	}
	b, err := receipt.NewBook(list, econ.Price{Ask: ask, Royalty: royalty}, econ.DefaultRates())
	if err != nil {
		return 0, err
	}
	return fixed.Amount(b.LineRoot.Sum), nil
}
