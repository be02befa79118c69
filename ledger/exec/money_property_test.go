// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"pgregory.net/rapid"
)

// moneyRun is one random history: what was opened, committed and claimed.
type moneyRun struct {
	*moneyWorld
	open    []ID // channels that may live
	payer   map[ID]string
	commits map[ID]*receipt.Book
	claimed map[ID]fixed.Amount
}

// TestINV04to07RandomHistoriesConserveMoney lets payers, an operator and payees
// act at random. After every block the invariants are recounted (moneyWorld.check);
// at the end all windows pass, every payee claims, and nothing is left over.
func TestINV04to07RandomHistoriesConserveMoney(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := &moneyRun{moneyWorld: newMoneyWorld(t), payer: map[ID]string{}, commits: map[ID]*receipt.Book{}, claimed: map[ID]fixed.Amount{}}
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			r.step(rt)
		}
		r.finish(rt)
	})
}

func (r *moneyRun) step(t *rapid.T) {
	offer := r.ids[rapid.SampledFrom([]string{"offer", "cheap"}).Draw(t, "offer")]
	switch rapid.IntRange(0, 7).Draw(t, "step") {
	case 0:
		who := rapid.SampledFrom([]string{"alice", "bob"}).Draw(t, "payer")
		ch := r.moneyWorld.open("", who, "op", fixed.Amount(rapid.Uint64Range(1, 400_000).Draw(t, "deposit")))
		r.open, r.payer[ch] = append(r.open, ch), who
	case 1, 2, 3:
		if len(r.open) == 0 {
			return
		}
		ch := rapid.SampledFrom(r.open).Draw(t, "channel")
		r.serveAndRedeem(t, ch, offer)
	case 4:
		r.wait(rapid.Uint64Range(1, 15_000).Draw(t, "ms"))
	case 5:
		if e := r.epoch(); e > 0 {
			r.commit(t, offer, e-1)
		}
	case 6:
		if len(r.open) > 0 {
			ch := rapid.SampledFrom(r.open).Draw(t, "channel")
			r.do(rapid.SampledFrom([]string{r.payer[ch], "op", "watch"}).Draw(t, "closer"), &tx.ChannelClose{Channel: ch})
		}
	case 7:
		r.claims(t)
	}
}

// serveAndRedeem serves answers with random owners; the vouchers may be refused,
// then the operator has worked for nothing and drops the receipts.
func (r *moneyRun) serveAndRedeem(t *rapid.T, ch, offer ID) {
	lane, epoch := [2]ID{ch, offer}, r.epoch()
	book := r.book(offer, epoch)
	cum, nonce, receipts := r.cum[lane], r.nonce[lane], r.served[book]
	var attr []receipt.Attr
	for _, o := range []string{"o1", "o2", "o3"} {
		if rapid.Bool().Draw(t, o) {
			attr = append(attr, receipt.Attr{Owner: r.addr(o), Weight: rapid.Uint64Range(1, 1<<38).Draw(t, "weight")})
		}
	}
	sortAttr(attr)
	r.serve(ch, offer, rapid.IntRange(1, 4).Draw(t, "answers"), attr...)
	res := r.do("watch", &tx.ChannelRedeem{Vouchers: []channel.SignedVoucher{r.voucher(r.payer[ch], ch, offer, r.cum[lane], r.nonce[lane])}})
	// A block may start a new epoch, which then has the money but not the receipts.
	if res.Code != tx.OK || res.Events[0].Amounts[1] != epoch {
		r.served[book] = receipts
		if res.Code != tx.OK {
			r.cum[lane], r.nonce[lane] = cum, nonce
		}
	}
}

func (r *moneyRun) commit(t *rapid.T, offer ID, epoch uint64) {
	all := r.served[r.book(offer, epoch)]
	if len(all) == 0 {
		return
	}
	some := all[:rapid.IntRange(1, len(all)).Draw(t, "receipts")]
	b, err := receipt.NewBook(some, r.prices[offer], r.params().Rates)
	if err != nil {
		t.Fatal(err)
	}
	if res := r.do("op", commitOf(b, offer, epoch)); res.Code == tx.OK {
		r.commits[res.Events[0].IDs[0]] = b
	} else if res.Code != tx.ObjExists && res.Code != tx.ObjWindowClosed {
		t.Fatalf("commit: %v", res.Code)
	}
}

// claims lets every payee claim every settled commit, once more than allowed.
func (r *moneyRun) claims(t *rapid.T) {
	for id, b := range r.commits {
		if mustMoney(state.GetCommit(r.v, id)).Status != receipt.Settled {
			continue
		}
		for _, payee := range b.Payees() {
			res := r.do("watch", r.claimOf(b, id, payee))
			switch res.Code {
			case tx.OK:
				r.claimed[id] += fixed.Amount(res.Events[0].Amounts[0])
			case tx.RcpClaimed:
			case tx.RcpRange: // lines worth nothing
				first, last, _, _ := b.Claim(payee)
				for _, l := range b.Lines[first : last+1] {
					if l.Amount != 0 {
						t.Fatalf("a run with %d is refused", l.Amount)
					}
				}
			default:
				t.Fatalf("claim: %v", res.Code)
			}
		}
	}
}

// finish lets every window pass and claims everything.
func (r *moneyRun) finish(t *rapid.T) {
	r.wait(250_000)
	r.claims(t)
	r.claims(t)
	for id, b := range r.commits {
		if uint64(r.claimed[id]) != b.LineRoot.Sum {
			t.Fatalf("claims sum to %d, lines to %d", r.claimed[id], b.LineRoot.Sum)
		}
	}
	for _, m := range []string{"channels", "pending", "pools", "bonded-commit"} {
		for _, x := range state.Modules {
			if x.Name == m && r.free(x.Address) != 0 {
				t.Fatalf("%s holds %d at the end", m, r.free(x.Address))
			}
		}
	}
	for _, clock := range state.DueClocks {
		if queue := mustMoney(r.v.Scan(state.DuePrefix(clock), nil, 1)); len(queue) != 0 {
			t.Fatal("the due-queue is not empty at the end")
		}
	}
}

// EXE-01: two runs over one view give identical bytes.
func TestEXE01SettlementIsDeterministic(t *testing.T) {
	w, offer, book := served(t)
	w.must("op", commitOf(book, offer, 0))
	w.toEpoch(2)
	b := blockInfo{Height: w.height + 1, TimeMS: w.timeMS + maxTickMS, Epoch: 2, Seal: true}
	first, err := run(w.v, w.env, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := run(w.v, w.env, b, nil)
		if err != nil || ledger.ReceiptsRoot(again.Receipts) != ledger.ReceiptsRoot(first.Receipts) || len(again.Writes) != len(first.Writes) {
			t.Fatal("another result")
		}
		for i := range again.Writes {
			if string(again.Writes[i].Key) != string(first.Writes[i].Key) || string(again.Writes[i].Value) != string(first.Writes[i].Value) {
				t.Fatalf("another write %x", again.Writes[i].Key)
			}
		}
	}
}

// A damaged record of the money's objects stops the block, it never panics and
// never pays.
func TestDamagedMoneyRecordsStopTheBlock(t *testing.T) {
	w, offer, book := served(t)
	commit := w.must("op", commitOf(book, offer, 0)).Events[0].IDs[0]
	w.toEpoch(2)
	for _, k := range [][]byte{state.CommitKey(commit), state.PendingKey(w.addr("op"), 0, offer)} {
		for _, bad := range [][]byte{nil, {0x80}, {0xff}} {
			f := w.fork(t)
			if f.v[string(k)] = bad; bad == nil {
				delete(f.v, string(k))
			}
			if _, err := run(f.v, f.env, blockInfo{Height: f.height + 1, TimeMS: f.timeMS + maxTickMS, Epoch: 2, Seal: true}, nil); !errors.Is(err, ErrFault) || !strings.Contains(err.Error(), "duties") {
				t.Errorf("record %x = %x gives %v", k, bad, err)
			}
		}
	}
}
