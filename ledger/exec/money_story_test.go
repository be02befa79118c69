// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/econ"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
)

// TestMoneyStories tells how money travels from a payer's deposit to everyone's
// account. Amounts are nOPEN; balances are net of transaction fees.
func TestMoneyStories(t *testing.T) {
	datadriven.Walk(t, "testdata/money", func(t *testing.T, path string) {
		s := &moneyStory{w: newMoneyWorld(t)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.w.t = t
			return s.run(t, d)
		})
	})
}

type moneyStory struct{ w *moneyWorld }

func (s *moneyStory) run(t *testing.T, d *datadriven.TestData) string {
	w := s.w
	switch d.Cmd {
	case "open":
		var name, payer, payee string
		var deposit uint64
		d.ScanArgs(t, "name", &name)
		d.ScanArgs(t, "payer", &payer)
		d.ScanArgs(t, "payee", &payee)
		d.ScanArgs(t, "deposit", &deposit)
		r := w.do(payer, &tx.ChannelOpen{Payee: w.addr(payee), Deposit: fixed.Amount(deposit), WindowMS: 5_000,
			ExpiryMS: w.clock().CTimeMS + s.uint(t, d, "life", 200_000), MaxLanes: 2})
		if r.Code == tx.OK {
			w.ids[name] = r.Events[0].IDs[0]
		}
		return s.receipt(r)
	case "serve":
		var ch, offer string
		var n int
		d.ScanArgs(t, "channel", &ch)
		d.ScanArgs(t, "offer", &offer)
		d.ScanArgs(t, "n", &n)
		w.serve(w.ids[ch], w.ids[offer], n, s.attr(t, d)...)
		lane := [2]ID{w.ids[ch], w.ids[offer]}
		return fmt.Sprintf("voucher nonce=%d cum=%d\n", w.nonce[lane], w.cum[lane])
	case "redeem":
		return s.receipt(w.do(s.text(t, d, "by", "op"), &tx.ChannelRedeem{Vouchers: []channel.SignedVoucher{s.voucher(t, d)}}))
	case "close":
		var by, ch string
		d.ScanArgs(t, "by", &by)
		d.ScanArgs(t, "channel", &ch)
		return s.receipt(w.do(by, &tx.ChannelClose{Channel: w.ids[ch]}))
	case "wait":
		return s.events(w.wait(s.uint(t, d, "ms", 1)))
	case "epoch":
		return s.events(w.toEpoch(s.uint(t, d, "start", w.epoch()+1)))
	case "commit":
		return s.commit(t, d)
	case "claim":
		return s.claim(t, d)
	case "balances":
		return s.balances()
	case "summary":
		e := s.uint(t, d, "epoch", 0)
		sum, ok, err := state.Load[econ.Summary](w.v, state.SummaryKey(e))
		if !ok || err != nil {
			return "none\n"
		}
		return fmt.Sprintf("gross=%d burn=%d treasury=%d validators=%d operators=%d contributors=%d trainers=%d refunds=%d\n", sum.Gross,
			sum.Burn, sum.Treasury, sum.Validators, sum.Operators, sum.Contributors, sum.Trainers, sum.Refunds)
	}
	t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	return ""
}

func (s *moneyStory) text(t *testing.T, d *datadriven.TestData, arg, def string) string {
	if d.HasArg(arg) {
		d.ScanArgs(t, arg, &def)
	}
	return def
}

func (s *moneyStory) uint(t *testing.T, d *datadriven.TestData, arg string, def uint64) uint64 {
	if d.HasArg(arg) {
		d.ScanArgs(t, arg, &def)
	}
	return def
}

// attr reads attr=(o1:quarters,…).
func (s *moneyStory) attr(t *testing.T, d *datadriven.TestData) (out []receipt.Attr) {
	for _, a := range d.CmdArgs {
		if a.Key != "attr" {
			continue
		}
		for _, v := range a.Vals {
			name, quarters, _ := strings.Cut(v, ":")
			out = append(out, receipt.Attr{Owner: s.w.addr(name), Weight: uint64(quarters[0]-'0') << 38})
		}
	}
	sortAttr(out)
	return out
}

func sortAttr(list []receipt.Attr) {
	for i := range list {
		for j := i; j > 0 && list[j-1].Owner.Compare(list[j].Owner) > 0; j-- {
			list[j-1], list[j] = list[j], list[j-1]
		}
	}
}

func (s *moneyStory) voucher(t *testing.T, d *datadriven.TestData) channel.SignedVoucher {
	var ch, offer string
	d.ScanArgs(t, "channel", &ch)
	d.ScanArgs(t, "offer", &offer)
	lane := [2]ID{s.w.ids[ch], s.w.ids[offer]}
	cum := s.uint(t, d, "cum", uint64(s.w.cum[lane]))
	return s.w.voucher(s.text(t, d, "payer", "alice"), lane[0], lane[1], fixed.Amount(cum), s.w.nonce[lane])
}

func (s *moneyStory) commit(t *testing.T, d *datadriven.TestData) string {
	var name, offer string
	d.ScanArgs(t, "name", &name)
	d.ScanArgs(t, "offer", &offer)
	e := s.uint(t, d, "epoch", 0)
	c := commitOf(s.w.makeBook(s.w.ids[offer], e), s.w.ids[offer], e)
	r := s.w.do(s.text(t, d, "by", "op"), c)
	if r.Code == tx.OK {
		s.w.ids[name] = r.Events[0].IDs[0]
	}
	return s.receipt(r)
}

func (s *moneyStory) claim(t *testing.T, d *datadriven.TestData) string {
	var name, payee, offer string
	d.ScanArgs(t, "commit", &name)
	d.ScanArgs(t, "payee", &payee)
	d.ScanArgs(t, "offer", &offer)
	b := s.w.makeBook(s.w.ids[offer], s.uint(t, d, "epoch", 0))
	return s.receipt(s.w.do(s.text(t, d, "by", payee), s.w.claimOf(b, s.w.ids[name], s.w.addr(payee))))
}

func (s *moneyStory) receipt(r ledger.Receipt) string {
	return r.Code.String() + "\n" + s.events(r.Events)
}

func (s *moneyStory) events(list []ledger.Event) string {
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "%s", e.Name())
		for _, id := range e.IDs {
			fmt.Fprintf(&b, " %s", s.name(id))
		}
		for _, a := range e.Amounts {
			fmt.Fprintf(&b, " %d", a)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (s *moneyStory) name(id ID) string {
	for n, x := range s.w.ids {
		if x == id {
			return n
		}
	}
	for a, n := range s.w.names {
		if ID(a) == id {
			return n
		}
	}
	return "new"
}

// balances prints who gained or lost what apart from transaction fees.
func (s *moneyStory) balances() string {
	var b strings.Builder
	for _, n := range moneyPeople {
		if got := s.w.free(s.w.addr(n)) + s.w.fees[n]; got != moneyStart {
			fmt.Fprintf(&b, "%s %+d\n", n, int64(got-moneyStart))
		}
	}
	var fees fixed.Amount
	for _, n := range moneyPeople {
		fees += s.w.fees[n]
	}
	for _, m := range state.Modules {
		x := s.w.free(m.Address)
		if m.Address == state.Burned {
			x -= fees
		}
		if m.Address == state.Bonded {
			x -= 10 * fixed.OPEN // the validators' self bonds
		}
		if x != 0 && m.Address != state.Reserve {
			fmt.Fprintf(&b, "[%s] %d\n", m.Name, x)
		}
	}
	return b.String()
}
