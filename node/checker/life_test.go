// SPDX-License-Identifier: Apache-2.0

package checker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chain"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/checker"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/poa/program"
)

// town is a chain on which person 0 asks for work and the others do it. Every
// transaction makes a block.
type town struct {
	*chaintest.World
	t     *testing.T
	chain *chain.Chain
	nonce map[int]uint64
	blobs map[content.ID][]byte
	lost  map[content.ID]bool // content that no peer has
	data  []tx.ID             // training datasets, ascending
	valid tx.ID
	lends func(i int) worker.Card // cards of the operators, if set
}

const (
	requester = 0
	operators = 5 // persons 1 to 5
)

func newTown(t *testing.T) *town {
	w := &town{World: chaintest.New(t, 1, 1+operators), t: t, nonce: map[int]uint64{}, blobs: map[content.ID][]byte{}, lost: map[content.ID]bool{}}
	w.chain = w.Open(store.OpenMemory())
	terms := genesis.CCBY4().ID()
	net := tx.ObjectID(w.must(requester, &tx.DatanetCreate{Name: "rows", Terms: []tx.ID{terms}, StakeBase: 1}), tx.KindDatanetCreate, 0)
	for i := range 3 {
		var rows strings.Builder
		for r := range 12 {
			fmt.Fprintf(&rows, "%d,%d,%d\n", (5*r+i)%16, (3*r+7*i)%16, r%2)
		}
		csv := []byte(rows.String())
		m, err := publish.Prepare("rows.csv", csv, publish.Input{Name: "rows", Terms: terms, Owner: w.Address(requester)})
		if err != nil {
			t.Fatal(err)
		}
		w.blobs[m.Content] = csv
		id := tx.ObjectID(w.must(requester, m.Upload(net, 1)), tx.KindDatasetUpload, 0)
		if i == 2 {
			w.valid = id
		} else {
			w.data = append(w.data, id)
		}
	}
	slices.SortFunc(w.data, func(a, b tx.ID) int { return slices.Compare(a[:], b[:]) })
	for i := range operators {
		w.must(1+i, &tx.ComputeRegister{DeviceClass: "cpu", PeerID: []byte{byte(i)}, Bond: fixed.OPEN})
	}
	return w
}

// send makes a block of one transaction. Errors: the code of its receipt.
func (w *town) send(from int, p tx.Payload) (tx.ID, error) {
	v := w.Sign(from, tx.Body{Nonce: w.nonce[from], Payload: p, MaxFee: fixed.OPEN})
	w.nonce[from]++
	if _, err := w.chain.Commit(w.Final(w.chain, v)); err != nil {
		return tx.ID{}, err
	}
	list, err := w.chain.Receipts(w.chain.Head().Height)
	if err != nil {
		return tx.ID{}, err
	}
	if r := list[len(list)-1]; r.Code != tx.OK {
		return v.ID(), tx.Errorf(r.Code, "refused")
	}
	return v.ID(), nil
}

func (w *town) must(from int, p tx.Payload) tx.ID {
	w.t.Helper()
	id, err := w.send(from, p)
	if err != nil {
		w.t.Fatalf("%T: %v", p, err)
	}
	return id
}

func (w *town) post(p *tx.TrainDescriptor) tx.ID {
	w.t.Helper()
	p.Datasets, p.Validation, p.Price, p.CheckFee = w.data, w.valid, fixed.OPEN, fixed.OPEN
	p.ClaimMS, p.WorkMS, p.CheckMS, p.RevealMS = 60_000, 60_000, 60_000, 60_000
	return tx.ObjectID(w.must(requester, p), tx.KindTrainDescriptor, 0)
}

func (w *town) train() tx.ID {
	w.t.Helper()
	return w.post(&tx.TrainDescriptor{TaskKind: uint8(task.Train), Train: &program.Train{Model: program.Softmax, Features: 2, Classes: 2,
		Scale: 16, Batch: 8, StepsPerSegment: 4, Segments: 4, LR: math.Float32bits(0.5), Seed: 1}})
}

func (w *town) attribute() tx.ID {
	w.t.Helper()
	return w.post(&tx.TrainDescriptor{TaskKind: uint8(task.Attribute), Attribute: &program.Attribute{Method: program.KNN, K: 3, Rows: 4}})
}

func (w *town) task(id tx.ID) task.Task {
	w.t.Helper()
	v, err := w.chain.View()
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := state.GetTask(v, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// person implements worker.Services for one of the people.
type person struct {
	w     *town
	i     int
	local *store.Local
	dir   string
	sent  []tx.Kind
}

func (w *town) person(i int) *person {
	return &person{w: w, i: i, local: store.OpenMemory().Local(), dir: w.t.TempDir()}
}

func (p *person) Operator() keys.Address    { return p.w.Address(p.i) }
func (p *person) View() (state.View, error) { return p.w.chain.View() }
func (p *person) Local() *store.Local       { return p.local }
func (p *person) Folder() string            { return p.dir }
func (p *person) Card(tx.ID) worker.Card {
	if p.w.lends == nil {
		return nil
	}
	return p.w.lends(p.i)
}
func (p *person) Keep(b []byte) (content.ID, error) {
	id := content.Sum(b)
	p.w.blobs[id] = b
	return id, nil
}

var errNobody = errors.New("nobody has it")

func (p *person) Content(_ context.Context, _ tx.ID, id content.ID, _ uint64) ([]byte, error) {
	if b, ok := p.w.blobs[id]; ok && !p.w.lost[id] {
		return b, nil
	}
	return nil, errNobody
}

func (p *person) Send(_ context.Context, payload tx.Payload) error {
	_, err := p.w.send(p.i, payload)
	if err == nil {
		p.sent = append(p.sent, payload.Kind())
	}
	return err
}

var quiet = slog.New(slog.DiscardHandler)

// check lets every operator but the worker do its checks, until none is left.
func (w *town) check(t *testing.T, except int) {
	t.Helper()
	var all []*checker.Checker
	for i := 1; i <= operators; i++ {
		if i != except {
			all = append(all, checker.New(w.person(i), quiet))
		}
	}
	for range 2 { // commit, then reveal
		for _, c := range all {
			if err := c.Turn(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestHonestWorkIsConfirmedAndPaid(t *testing.T) {
	for name, post := range map[string]func(*town) tx.ID{"training": (*town).train, "attribution": (*town).attribute} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			id := post(w)
			p := w.person(1)
			if err := worker.New(p, false, quiet).Turn(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := w.task(id); got.State != task.Committed || !slices.Equal(p.sent, []tx.Kind{tx.KindTaskClaim, tx.KindTaskCommit}) {
				t.Fatalf("state %v after %v", got.State, p.sent)
			}
			w.check(t, 1)
			got := w.task(id)
			if got.State != task.Settled {
				t.Fatalf("state %v", got.State)
			}
			if b := w.blobs[got.Output.Content]; uint64(len(b)) != got.Output.Bytes {
				t.Fatal("the output is not published")
			}
		})
	}
}

func TestALieIsVoid(t *testing.T) {
	w := newTown(t)
	id := w.train()
	liar := worker.New(w.person(1), true, quiet)
	if err := liar.Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.check(t, 1)
	if got := w.task(id); got.State != task.Void {
		t.Fatalf("state %v", got.State)
	}
	again := w.train()
	if err := liar.Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.check(t, 1)
	if got := w.task(again); got.State != task.Settled {
		t.Fatalf("its second task is %v: it lies once", got.State)
	}
}

// TestATaskWhoseDataCannotBeHadIsNotClaimed and holds no other task up.
func TestATaskWhoseDataCannotBeHadIsNotClaimed(t *testing.T) {
	w := newTown(t)
	v, err := w.chain.View()
	if err != nil {
		t.Fatal(err)
	}
	d, err := state.GetDataset(v, w.data[0])
	if err != nil {
		t.Fatal(err)
	}
	all := w.data
	first := w.train()
	w.data = all[1:]
	second := w.train()
	w.lost[d.Content] = true
	if err := worker.New(w.person(1), false, quiet).Turn(t.Context()); !errors.Is(err, errNobody) {
		t.Fatalf("got %v", err)
	}
	if a, b := w.task(first).State, w.task(second).State; a != task.Posted || b != task.Committed {
		t.Fatalf("states %v and %v", a, b)
	}
	delete(w.lost, d.Content) // the data has come
	if err := worker.New(w.person(2), false, quiet).Turn(t.Context()); err != nil || w.task(first).State != task.Committed {
		t.Fatalf("state %v, %v", w.task(first).State, err)
	}
}

// TestACheckerThatRestartsRevealsWhatItCommitted: the verdict and its salt are on
// disk before the hash is sent.
func TestACheckerThatRestartsRevealsWhatItCommitted(t *testing.T) {
	w := newTown(t)
	id := w.train()
	if err := worker.New(w.person(1), false, quiet).Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all []*person
	for i := 2; i <= operators; i++ {
		all = append(all, w.person(i))
	}
	for range 2 {
		for _, p := range all {
			if err := checker.New(p, quiet).Turn(t.Context()); err != nil { // a new one each time
				t.Fatal(err)
			}
		}
	}
	if got := w.task(id); got.State != task.Settled {
		t.Fatalf("state %v", got.State)
	}
	for _, p := range all {
		if n := len(p.sent); n != 0 && !slices.Equal(p.sent, []tx.Kind{tx.KindCheckCommit, tx.KindCheckReveal}) {
			t.Fatalf("a checker sent %v", p.sent)
		}
	}
}

// TestAWorkerGoesOnWithWhatItHadClaimed after a restart without its memory.
func TestAWorkerGoesOnWithWhatItHadClaimed(t *testing.T) {
	w := newTown(t)
	id := w.train()
	w.must(1, &tx.TaskClaim{Task: id})
	p := w.person(1)
	if err := worker.New(p, false, quiet).Turn(t.Context()); err != nil || w.task(id).State != task.Committed {
		t.Fatalf("state %v, %v", w.task(id).State, err)
	}
	if !slices.Equal(p.sent, []tx.Kind{tx.KindTaskCommit}) {
		t.Fatalf("sent %v", p.sent)
	}
}

// TestTwoWorkersShareTheTasks: who comes second to a claim goes on to the next.
func TestTwoWorkersShareTheTasks(t *testing.T) {
	w := newTown(t)
	id := w.train()
	w.must(2, &tx.TaskClaim{Task: id}) // meanwhile
	if err := worker.New(w.person(1), false, quiet).Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.task(id); got.State != task.Assigned || *got.Operator != w.Address(2) {
		t.Fatalf("%v of %v", got.State, got.Operator)
	}
}
