// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/nodetest"
	"github.com/openledger/openledger/node/store"
)

// world is a market whose operator keeps books.
type world struct {
	*nodetest.Ledger
	nodetest.Market
	s     *nodetest.Services
	till  *Till
	until uint64 // when the offer ends
}

func newWorld(t testing.TB) *world {
	t.Helper()
	l := nodetest.New(t)
	w := &world{Ledger: l, Market: l.Market(t), until: nodetest.StartMS + nodetest.LifeMS}
	w.s = l.Services(l.Operator)
	w.restart(t, nil)
	return w
}

// restart opens the books again, over a disk that may be broken.
func (w *world) restart(t testing.TB, d disk) {
	t.Helper()
	var err error
	if w.till, err = New(Config{Services: w.s, ChainID: w.ChainID, Clock: w.Clock, Redeems: w.redeems}); err != nil {
		t.Fatal(err)
	}
	if d != nil {
		w.till.db.l = d
	}
}

// redeems implements Config.Redeems.
func (w *world) redeems(_ context.Context, above uint64) (out []Redeem, upTo uint64, err error) {
	head := w.Height()
	for h := above + 1; h <= head; h++ {
		for _, r := range w.Receipts(h) {
			for _, e := range r.Events {
				if e.Kind == tx.KindChannelRedeem && e.Sub == ledger.SubDone {
					out = append(out, Redeem{h, e.IDs[0], e.IDs[1], fixed.Amount(e.Amounts[0]), e.Amounts[1]})
				}
			}
		}
	}
	return out, head, nil
}

func (w *world) terms() Terms {
	return Terms{Price: nodetest.Price, ValidUntil: w.until}
}

// ask is one paid request: its n-th voucher pays n prices.
func (w *world) ask(n uint64) error {
	return w.answer(w.Channel, n, fixed.Amount(n)*nodetest.Price, byte(n))
}

// answer takes a voucher for a row and answers as a gateway does, or gets the
// answer that was given before.
func (w *world) answer(ch ID, nonce uint64, cum fixed.Amount, row byte) error {
	s, digest := w.Voucher(ch, w.Offer, nonce, cum), sha256.Sum256([]byte{row})
	old, err := w.till.Accept(w.terms(), s, digest)
	if err != nil || old != nil {
		return err
	}
	return w.till.Finish(s, digest, w.reply(s.Voucher.Channel, nonce, cum, row))
}

// reply is the answer to a row: even rows rest on the first contributor's data
// alone, odd ones on both's for three quarters.
func (w *world) reply(ch ID, nonce uint64, cum fixed.Amount, row byte) Answer {
	attr := []receipt.Attr{{Owner: w.Contributors[0], Weight: econ.TotalWeight}}
	if row%2 == 1 {
		attr = []receipt.Attr{{Owner: w.Contributors[0], Weight: econ.TotalWeight / 4}, {Owner: w.Contributors[1], Weight: econ.TotalWeight / 2}}
		if bytes.Compare(attr[0].Owner[:], attr[1].Owner[:]) > 0 {
			attr[0], attr[1] = attr[1], attr[0]
		}
	}
	return Answer{Label: uint64(row), Receipt: receipt.Sign(w.Operator, w.ChainID, receipt.Receipt{Offer: w.Offer, Channel: ch, Nonce: nonce, Cum: cum,
		Units: 1, Gross: nodetest.Price, TimeMS: 1, Rule: receipt.Rule, Attr: attr, Model: w.Model})}
}

// run is one turn of the books.
func (w *world) run(t testing.TB) {
	t.Helper()
	if err := w.till.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// pass lets chain time go by, with a turn of the books after each block.
func (w *world) pass(t testing.TB, ms uint64) {
	t.Helper()
	for ; ms > 0; ms -= min(ms, 1_000) {
		w.Tick(t, min(ms, 1_000))
		w.run(t)
	}
}

// commits are those on the ledger.
func (w *world) commits(t testing.TB) []state.Entry[receipt.Commit] {
	t.Helper()
	l, err := state.ListCommits(w.View(), nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// conserved checks that every unit is somewhere (INV-01).
func (w *world) conserved(t testing.TB) {
	t.Helper()
	sum, err := state.Recount(w.View())
	if err != nil || sum != state.Total {
		t.Fatalf("supply is %d: %v", sum, err)
	}
}

var errCrash = errors.New("the machine stopped")

// brokenDisk stops after some writes, as a machine does: for ever. applied says
// whether the last write still reached the disk, power that what was not synced
// is lost too.
type brokenDisk struct {
	*store.Local
	left           int
	applied, power bool
	stopped        bool
	undo           []func() error // of what is not synced
}

func (d *brokenDisk) write(key []byte, sync bool, do func() error) error {
	if d.stopped {
		return errCrash
	}
	old, err := d.Local.Get(key)
	restore := func() error { return d.Local.Put(key, old, false) }
	if errors.Is(err, store.ErrNotFound) {
		restore = func() error { return d.Local.Delete(key, false) }
	}
	if d.left--; d.left < 0 {
		d.stopped = true
		if d.applied {
			d.undo = append(d.undo, restore)
			err = do()
		}
		return errors.Join(errCrash, d.lose())
	}
	d.undo = append(d.undo, restore)
	if sync {
		d.undo = nil
	}
	return do()
}

// lose takes back what a loss of power loses.
func (d *brokenDisk) lose() error {
	for i := len(d.undo) - 1; i >= 0 && d.power; i-- {
		if err := d.undo[i](); err != nil {
			return err
		}
	}
	return nil
}

func (d *brokenDisk) Put(key, value []byte, sync bool) error {
	return d.write(key, sync, func() error { return d.Local.Put(key, value, sync) })
}

func (d *brokenDisk) Delete(key []byte, sync bool) error {
	return d.write(key, sync, func() error { return d.Local.Delete(key, sync) })
}
