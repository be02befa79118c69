// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
)

// waitingTask is a keyed chain with a task whose result waits for its seed, and the
// height of the commit.
func waitingTask(t *testing.T) (*world, ID, uint64) {
	t.Helper()
	w := &world{chain: newKeyedChain(t)}
	terms, err := state.ListTerms(w.view, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	w.ccby = terms[0].ID
	w.net = w.do(owner, &tx.DatanetCreate{Name: "open", Terms: []ID{w.ccby}, StakeBase: fixed.OPEN})
	w.data, w.val = w.do(owner, w.upload("data")), w.do(owner, w.upload("val"))
	for _, n := range []int{op1, op2, op3, op4, 8, 10} {
		w.do(n, &tx.ComputeRegister{DeviceClass: "cpu", PeerID: []byte{byte(n)}, Bond: 5 * fixed.OPEN})
	}
	id := w.do(requester, w.train())
	w.do(op1, &tx.TaskClaim{Task: id})
	w.do(op1, w.commit(id, 8))
	return w, id, w.height()
}

// vrfBlock applies an empty block of a leader, with a VRF if it has one.
func (w *world) vrfBlock(leader uint64, vrf bool) (Result, [32]byte) {
	w.time += tickMS
	r := sha256.Sum256(fmt.Append(nil, "R", w.height()))
	return w.apply(blockInfo{Leader: leader, VRF: vrf, Beacon: r}, nil), r
}

func (w *world) waiting(t *testing.T) bool {
	t.Helper()
	yes, err := Waiting(w.view)
	if err != nil {
		t.Fatal(err)
	}
	return yes
}

func TestCONS36ADrawWaitsForTwoLeaders(t *testing.T) {
	const none = 9 // a block without a VRF
	for _, c := range []struct {
		name    string
		leaders []uint64
		drawn   bool
	}{
		{"one block is not enough", []uint64{0}, false},
		{"two leaders", []uint64{0, 1}, true},
		{"one leader twice", []uint64{2, 2}, false},
		{"the third block is of another", []uint64{2, 2, 3}, true},
		{"blocks without a VRF do not count", []uint64{0, none, none}, false},
		{"nor do they part the others", []uint64{0, none, none, 1}, true},
		{"seven of one leader", slices.Repeat([]uint64{1}, 7), false},
		{"eight of one leader", slices.Repeat([]uint64{1}, 8), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, id, _ := waitingTask(t)
			before, err := state.GetTask(w.view, id)
			if err != nil || before.State != task.Drawing || !w.waiting(t) {
				t.Fatalf("%v, %v", before.State, err)
			}
			var last Result
			var r [32]byte
			for i, l := range c.leaders {
				if i > 0 && !w.waiting(t) {
					t.Fatalf("nobody waits after %d blocks", i)
				}
				last, r = w.vrfBlock(l%none, l != none)
			}
			after, err := state.GetTask(w.view, id)
			if err != nil || (after.State == task.Committed) != c.drawn || w.waiting(t) == c.drawn {
				t.Fatalf("%v after %v, %v", after.State, c.leaders, err)
			}
			left, err := w.view.Scan(state.BeaconPrefix(), nil, 99)
			if err != nil || c.drawn != (len(left) == 0) {
				t.Errorf("%d beacons are kept, %v", len(left), err)
			}
			if !c.drawn {
				return
			}
			ops, err := state.ListOperators(w.view, nil, 99)
			if err != nil {
				t.Fatal(err)
			}
			var all []task.Candidate
			for _, e := range ops {
				all = append(all, task.Candidate{Account: keys.Address(e.ID), Bond: e.Value.Bond})
			}
			want := before.Draw(keys.Sum(keys.DomainSeed, r, before.Output.ID), before.Output.ID, all)
			for i, k := range after.Checkers {
				if k.Account != want[i] {
					t.Fatalf("checker %d is %v, want %v", i, k.Account, want[i])
				}
			}
			if e := last.Receipts[0].Events[0]; e.Sub != ledger.SubTaskDrawn || after.DueMS != w.clock().CTimeMS+60_000 {
				t.Errorf("%+v, until %d", e, after.DueMS)
			}
		})
	}
}

// Two tasks of different heights: the younger waits longer, and what the older
// needs is forgotten.
func TestCONS36EachObjectCountsFromItsOwnHeight(t *testing.T) {
	w, first, _ := waitingTask(t)
	second := w.do(requester, w.train())
	w.do(op2, &tx.TaskClaim{Task: second})
	w.vrfBlock(0, true)
	p := w.commit(second, 8)
	p.Output = content.Sum([]byte("other"))
	w.do(op2, p)
	w.vrfBlock(1, true)
	state1, _ := state.GetTask(w.view, first)
	state2, _ := state.GetTask(w.view, second)
	if state1.State != task.Committed || state2.State != task.Drawing {
		t.Fatalf("%v, %v", state1.State, state2.State)
	}
	if left, err := w.view.Scan(state.BeaconPrefix(), nil, 99); err != nil || len(left) != 1 {
		t.Errorf("%d beacons are kept, want that after the second commit", len(left))
	}
	w.vrfBlock(2, true)
	if state2, _ = state.GetTask(w.view, second); state2.State != task.Committed {
		t.Fatalf("%v", state2.State)
	}
}

// A second draw waits for a seed of its own: the first one is known.
func TestCONS36ASecondDrawNeedsANewSeed(t *testing.T) {
	w, id, _ := waitingTask(t)
	w.vrfBlock(0, true)
	w.vrfBlock(1, true)
	for range 7 { // nobody commits to a verdict
		w.blockAfter(9_999)
	}
	x, err := state.GetTask(w.view, id)
	if err != nil || x.State != task.Drawing || x.Attempt != 1 || !w.waiting(t) {
		t.Fatalf("%v, %v", x.State, err)
	}
	w.vrfBlock(0, true)
	w.vrfBlock(1, true)
	if x, err = state.GetTask(w.view, id); err != nil || x.State != task.Committed || x.Attempt != 2 || len(x.Past) != 3 {
		t.Fatalf("%+v, %v", x, err)
	}
}

// A task keeps waiting over the end of its epoch, and the seal counts too.
func TestCONS36ASealGivesASeedToo(t *testing.T) {
	w, id, _ := waitingTask(t)
	w.vrfBlock(0, true)
	w.time += 10_000
	w.apply(blockInfo{Seal: true, Leader: 1, VRF: true, Beacon: [32]byte{7}}, nil)
	if x, err := state.GetTask(w.view, id); err != nil || x.State != task.Committed || w.clock().Epoch != 1 {
		t.Fatalf("%v in epoch %d, %v", x.State, w.clock().Epoch, err)
	}
	if seed, _, err := state.Load[[32]byte](w.view, state.SetSeedKey()); err != nil || seed != [32]byte{7} {
		t.Errorf("the seed of the new epoch's leaders is %x, %v", seed, err)
	}
}
