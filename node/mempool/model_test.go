// SPDX-License-Identifier: Apache-2.0

package mempool_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/mempool"
)

// twin is a pool without any structure: a list in order of arrival.
type twin struct {
	b    *bench
	list []tx.Verified
}

func (m *twin) account(a keys.Address) state.Account {
	v, err := m.b.chain.View()
	if err != nil {
		m.b.T.Fatal(err)
	}
	acc, err := state.GetAccount(v, a)
	if err != nil {
		m.b.T.Fatal(err)
	}
	return acc
}

func (m *twin) find(a keys.Address, nonce uint64) int {
	return slices.IndexFunc(m.list, func(v tx.Verified) bool { return v.Body().Sender == a && v.Body().Nonce == nonce })
}

// add is Add in a few words. The base fee stays at 1 in this test.
func (m *twin) add(v tx.Verified) error {
	b := v.Body()
	acc := m.account(b.Sender)
	weight := v.Weight(m.b.Doc.Params.KindWeight)
	fee := fixed.Amount(weight) + b.Tip
	switch {
	case slices.ContainsFunc(m.list, func(o tx.Verified) bool { return o.ID() == v.ID() }):
		return mempool.ErrKnown
	case b.Nonce < acc.Nonce:
		return tx.TxNonceLow
	case fee > b.MaxFee:
		return tx.TxFeeLow
	case b.MaxFee > acc.Free:
		return tx.TxFunds
	case b.Nonce >= acc.Nonce+mempool.NonceWindow:
		return tx.TxNonceGap
	}
	old := m.find(b.Sender, b.Nonce)
	if old >= 0 {
		o := m.list[old]
		was := fixed.Amount(o.Weight(m.b.Doc.Params.KindWeight)) + o.Body().Tip
		if fee < was+max(was/8, 1) || b.MaxFee < o.Body().MaxFee {
			return tx.TxFeeLow
		}
	}
	total := spent(v)
	for i, o := range m.list {
		if i != old && o.Body().Sender == b.Sender {
			total += spent(o)
		}
	}
	if total > acc.Free {
		return tx.TxFunds
	}
	if old >= 0 {
		m.list = slices.Delete(m.list, old, old+1)
	}
	m.list = append(m.list, v)
	return nil
}

func spent(v tx.Verified) fixed.Amount {
	return v.Body().MaxFee + v.Body().Payload.(*tx.Transfer).Amount
}

// selected picks the best next transaction again and again.
func (m *twin) selected() (out []tx.ID) {
	next := map[keys.Address]uint64{}
	for i := range m.b.People {
		next[m.b.Address(i)] = m.account(m.b.Address(i)).Nonce
	}
	for {
		var best tx.Verified
		for _, v := range m.list {
			if v.Body().Nonce == next[v.Body().Sender] && (best.IsZero() || m.rate(v) > m.rate(best)) {
				best = v
			}
		}
		if best.IsZero() {
			return out
		}
		out = append(out, best.ID())
		next[best.Body().Sender]++
	}
}

func (m *twin) rate(v tx.Verified) float64 {
	return float64(v.Body().Tip) / float64(v.Weight(m.b.Doc.Params.KindWeight))
}

// committed forgets what no later block can include.
func (m *twin) committed(included []tx.Verified) {
	touched := map[keys.Address]bool{}
	for _, v := range included {
		touched[v.Body().Sender] = true
	}
	m.list = slices.DeleteFunc(m.list, func(v tx.Verified) bool {
		return slices.ContainsFunc(included, func(o tx.Verified) bool { return o.ID() == v.ID() }) ||
			touched[v.Body().Sender] && v.Body().Nonce < m.account(v.Body().Sender).Nonce
	})
	for a := range touched {
		left := m.account(a).Free
		var mine []tx.Verified
		for _, v := range m.list {
			if v.Body().Sender == a {
				mine = append(mine, v)
			}
		}
		slices.SortFunc(mine, func(x, y tx.Verified) int { return int(x.Body().Nonce) - int(y.Body().Nonce) })
		for i, v := range mine {
			if spent(v) <= left {
				left -= spent(v)
				continue
			}
			for _, gone := range mine[i:] {
				m.list = slices.DeleteFunc(m.list, func(o tx.Verified) bool { return o.ID() == gone.ID() })
			}
			break
		}
	}
}

// TestAPoolBehavesAsAListWould adds, replaces and commits at random.
func TestAPoolBehavesAsAListWould(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t, mempool.DefaultLimits(), 3)
		m := &twin{b: b}
		pick := func(name string, list ...uint64) uint64 { return rapid.SampledFrom(list).Draw(rt, name) }
		add := func(*rapid.T) {
			from := rapid.IntRange(0, 2).Draw(rt, "from")
			nonce := m.account(b.Address(from)).Nonce + pick("ahead", 0, 0, 1, 1, 2, 3, 63, 64)
			if nonce > 0 && rapid.IntRange(0, 9).Draw(rt, "late") == 0 {
				nonce--
			}
			v := b.Sign(from, tx.Body{Nonce: nonce, Tip: fixed.Amount(pick("tip", 0, 10, 500, 700, 900)),
				MaxFee:  fixed.Amount(pick("max fee", 1_000, 20_000, 20_000, 30_000)),
				Payload: &tx.Transfer{To: b.Address(0), Amount: fixed.Amount(pick("amount", 1, 2, uint64(chaintest.Rich)/3))}})
			want, got := m.add(v), b.pool.Add(v)
			if !errors.Is(got, want) {
				rt.Fatalf("add says %v, the list %v", got, want)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add": add, "add another": add, "add a third": add,
			"commit": func(*rapid.T) {
				list := b.next()
				list = list[:rapid.IntRange(0, len(list)).Draw(rt, "how many")]
				b.commit(list...)
				for _, code := range b.receipts() {
					if code != tx.OK && code != tx.TxFunds { // TxFunds: the payload failed, the fee was paid
						rt.Fatalf("a selected transaction ended with %v", code)
					}
				}
				m.committed(list)
			},
			"": func(*rapid.T) {
				want := m.selected()
				if got := ids(b.next()); !slices.Equal(got, want) {
					rt.Fatalf("selects %v, the list %v", got, want)
				}
				if b.pool.Pending() != (len(want) > 0) || b.pool.Len() != len(m.list) {
					rt.Fatalf("pending %v, %d wait; the list has %d of which %d could be included",
						b.pool.Pending(), b.pool.Len(), len(m.list), len(want))
				}
			},
		})
	})
}
