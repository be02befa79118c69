// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"testing"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/nodetest"
	"github.com/openledger/openledger/node/serve"
	"github.com/openledger/openledger/node/settle"
	"github.com/openledger/openledger/rpc/api"
)

// Whoever asks for an answer gets a code and a hint for every refusal.
func TestEveryRefusalOfAnswersHasACode(t *testing.T) {
	seen := map[string]error{}
	for _, err := range []error{
		serve.ErrNotServed, serve.ErrLoading, serve.ErrBusy, serve.ErrRow,
		settle.ErrPrice, settle.ErrNonce, settle.ErrSpent, settle.ErrEnding, settle.ErrUnknown, settle.ErrTooMany,
		channel.ErrFormat, channel.ErrSignature, channel.ErrChannel, channel.ErrCumLow, channel.ErrCumOver, channel.ErrLane,
		channel.ErrExpired, channel.ErrClosed, receipt.ErrNone, state.ErrUnknown,
	} {
		var known *api.Error
		if !errors.As(clientError(fmt.Errorf("in work: %w", err)), &known) || known.Data.Code == "" || known.Data.Hint == "" {
			t.Errorf("%v becomes %v", err, known)
			continue
		}
		if other, twice := seen[known.Data.Code]; twice && known.Code == api.CodeService {
			t.Errorf("%v and %v have the code %s", err, other, known.Data.Code)
		}
		seen[known.Data.Code] = err
	}
}

func TestRedeemsAreReadFromEvents(t *testing.T) {
	me := keys.Address{1}
	e := api.Event{Height: 7, Name: "ChannelRedeem", IDs: []api.Hash{{2}, {3}, api.Hash(me), {4}}, Amounts: []fixed.Amount{5, 6}}
	got, ok := redeemOf(e, me)
	if want := (settle.Redeem{Height: 7, Channel: settle.ID{2}, Offer: settle.ID{3}, Delta: 5, Epoch: 6}); !ok || got != want {
		t.Errorf("got %+v", got)
	}
	if _, ok := redeemOf(e, keys.Address{9}); ok {
		t.Error("another operator's redeem was taken")
	}
	e.Name = "ChannelClose"
	if _, ok := redeemOf(e, me); ok {
		t.Error("a close was taken for a redeem")
	}
	list := addRedeem(addRedeem(addRedeem(nil, got), settle.Redeem{Height: 7, Channel: settle.ID{8}, Delta: 1}), got)
	if len(list) != 2 || list[0].Delta != 10 {
		t.Errorf("two redeems of a lane in one block: %+v", list)
	}
	if got.Height = 8; len(addRedeem(list, got)) != 3 {
		t.Error("redeems of two blocks were joined")
	}
}

func TestOwedIsLookedUpOnTheLedger(t *testing.T) {
	l := nodetest.New(t)
	op, id := keys.Address{1}, state.ID{2}
	c := receipt.Commit{Operator: op, Epoch: 3, Offer: state.ID{4}, Status: receipt.Settled}
	c.Lines.Sum = 100
	l.Put(state.CommitKey(id), c)
	l.Put(state.ClaimedKey(id, 1), [32]byte{0: 1 << 5})
	for _, x := range []struct {
		name    string
		owed    settle.Owed
		by      keys.Address
		ok      bool
		claimed bool
	}{
		{"an open one", settle.Owed{Commit: id, First: 4, Amount: 50}, op, true, false},
		{"a received one", settle.Owed{Commit: id, First: 256 + 5, Amount: 50}, op, true, true},
		{"its neighbour", settle.Owed{Commit: id, First: 256 + 6, Amount: 50}, op, true, false},
		{"a commit that is not there", settle.Owed{Commit: state.ID{9}, Amount: 50}, op, false, false},
		{"another operator's commit", settle.Owed{Commit: id, Amount: 50}, keys.Address{9}, false, false},
		{"more than all lines", settle.Owed{Commit: id, Amount: 101}, op, false, false},
	} {
		got, ok, err := payoutOf(l.View(), x.by, x.owed)
		if err != nil || ok != x.ok || got.Claimed != x.claimed || ok && !got.Settled {
			t.Errorf("%s: %+v, %v, %v", x.name, got, ok, err)
		}
	}
}

func TestLanesShowWhatIsRedeemedAndWhatIsHeld(t *testing.T) {
	l := nodetest.New(t)
	m := l.Market(t)
	l.Put(state.LaneKey(m.Channel, m.Offer), channel.Lane{Nonce: 2, Redeemed: 60})
	lanes, err := chainLanes(l.View(), m.Channel)
	if err != nil || len(lanes) != 1 || lanes[0].Offer != m.Offer || lanes[0].Nonce != 2 || lanes[0].Redeemed != 60 {
		t.Fatalf("%+v, %v", lanes, err)
	}
	c, err := state.GetChannel(l.View(), m.Channel)
	if err != nil {
		t.Fatal(err)
	}
	lanes = heldLane(lanes, c, m.Channel, l.Voucher(m.Channel, m.Offer, 3, 90))
	lanes = heldLane(lanes, c, m.Channel, l.Voucher(m.Channel, state.ID{7}, 1, 30))
	lanes = heldLane(lanes, c, m.Channel, l.Voucher(state.ID{8}, m.Offer, 4, 99))
	if len(lanes) != 2 || lanes[0].Newest == nil || lanes[0].Newest.Voucher.Nonce != 3 || lanes[1].Redeemed != 0 {
		t.Errorf("%+v", lanes)
	}
}
