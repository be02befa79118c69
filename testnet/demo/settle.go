// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/proof"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/rpc/api"
)

// waitSettled covers redeem in one ledger epoch, commit in the next, and the
// window of one more.
const waitSettled = 75 * time.Second

// settle is the beat in which the operator's epoch is settled and the money
// reaches the contributors.
func (s *story) settle(ctx context.Context) error {
	s.fact("waiting for the operator to redeem, commit and settle (epochs of %v)", epoch)
	if err := until(ctx, "the answers are settled", waitSettled, s.settled); err != nil {
		return err
	}
	want, err := s.expected()
	if err != nil {
		return err
	}
	for _, who := range contributors {
		got, err := s.claim(ctx, who)
		if err != nil {
			return err
		}
		if got > 0 {
			s.r.Payouts = append(s.r.Payouts, Payout{s.address(who), got})
			s.r.PayoutsSum += got
		}
		s.digest.add("payout "+who, got)
		s.fact("%-8s received %s", who, got)
	}
	if err := check(s.r.PayoutsSum == want, "contributors received %v, the receipts owe %v", s.r.PayoutsSum, want); err != nil {
		return err
	}
	s.fact("sum %s of %s fees: equal to the last unit to what the %d receipts owe", s.r.PayoutsSum, s.r.FeesPaid, len(s.paid.receipts))
	if err := s.why(ctx); err != nil {
		return err
	}
	return s.tamper()
}

// settled reports whether settled commits cover every answer.
func (s *story) settled(ctx context.Context) (bool, error) {
	l, err := s.c.InferCommits(ctx, api.Page{})
	if err != nil {
		return false, err
	}
	s.paid.commits = nil
	var sum fixed.Amount
	for _, it := range l.Items {
		if it.Value.Offer == s.offer && it.Value.Status == receipt.Settled {
			s.paid.commits = append(s.paid.commits, it)
			sum += fixed.Amount(it.Value.Receipts.Sum)
		}
	}
	return sum == s.r.FeesPaid, nil
}

// claim takes what the settled commits owe a contributor and checks that its
// balance rises by exactly that, less the fees of its own transactions.
func (s *story) claim(ctx context.Context, who string) (got fixed.Amount, err error) {
	before, err := s.balance(ctx, s.address(who))
	if err != nil {
		return 0, err
	}
	var fees fixed.Amount
	for _, it := range s.paid.commits {
		c, err := s.c.PoaClaim(ctx, api.ClaimParams{Account: s.address(who), Commit: it.ID})
		var known *api.Error
		if errors.As(err, &known) && known.Code == api.CodeNotFound {
			continue // nothing for this account in this commit
		}
		if err != nil {
			return 0, err
		}
		var payload tx.ClaimEpoch
		if err := json.Unmarshal(c.Fields, &payload); err != nil {
			return 0, err
		}
		st, err := s.send(ctx, who, &payload)
		if err != nil {
			return 0, err
		}
		got += c.Amount
		fees += st.Receipt.Fee
	}
	after, err := s.balance(ctx, s.address(who))
	if err != nil {
		return 0, err
	}
	return got, check(after+fees == before+got, "%s had %v, claimed %v, paid %v, has %v", who, before, got, fees, after)
}

// why recomputes one contributor's income offline, from one header.
func (s *story) why(ctx context.Context) error {
	who, commit := contributors[len(sizes)-1], s.paid.commits[0]
	w, err := s.c.PoaWhy(ctx, api.WhyParams{Account: s.address(who), Commit: commit.ID})
	if err != nil {
		return err
	}
	st, err := proof.DecodeWhy(w.Statement)
	if err != nil {
		return err
	}
	trust, err := s.trust(ctx, st.Epoch())
	if err != nil {
		return err
	}
	report, err := st.Verify(trust)
	if err != nil {
		return err
	}
	path := filepath.Join(s.o.Dir, "why-"+who+".statement")
	if err := os.WriteFile(path, w.Statement, 0o644); err != nil {
		return err
	}
	amount, err := st.Amount()
	if err != nil {
		return err
	}
	s.fact("why %s got %s from this commit: %s, recomputed from one certified header", who, amount, report)
	s.try("verify payout %s --genesis %s", path, s.net.Join)
	return nil
}

// trust is the validator set of an epoch, followed from the genesis document seal
// by seal: nothing that a node says is believed.
func (s *story) trust(ctx context.Context, epoch uint64) (proof.Trust, error) {
	doc, err := s.net.Genesis()
	if err != nil {
		return proof.Trust{}, err
	}
	first, err1 := doc.ValidatorSet()
	start, err2 := doc.Header()
	if err := errors.Join(err1, err2); err != nil {
		return proof.Trust{}, err
	}
	l, err := cert.NewLight(start, first)
	if err != nil {
		return proof.Trust{}, err
	}
	if err := s.c.Follow(ctx, l, epoch, nil); err != nil {
		return proof.Trust{}, err
	}
	return proof.Trust{ChainID: doc.ChainID(), Set: l.Set().Hash()}, check(l.Set().Epoch() == epoch, "the node's seals lead to epoch %d of %d", l.Set().Epoch(), epoch)
}

// tamper flips one bit of a receipt, which must then be refused.
func (s *story) tamper() error {
	good, err := os.ReadFile(s.receiptPath(0))
	if err != nil {
		return err
	}
	answer := s.paid.receipts[0].Receipt.RespCommit
	at := bytes.Index(good, answer[:])
	if err := check(at >= 0, "the receipt does not hold its answer"); err != nil {
		return err
	}
	bad := bytes.Clone(good)
	bad[at] ^= 1
	path := s.receiptPath(0) + ".flipped"
	if err := os.WriteFile(path, bad, 0o644); err != nil {
		return err
	}
	st, err := proof.DecodeReceipt(bad)
	if err == nil {
		_, err = st.Verify(proof.Trust{ChainID: s.paid.chainID})
	}
	s.r.TamperedRefused = err != nil
	if err := check(err != nil, "a receipt with a flipped bit was accepted"); err != nil {
		return err
	}
	s.fact("the same receipt with one flipped bit is refused: %v", err)
	s.try("verify receipt %s   (exit code 1)", path)
	return nil
}
