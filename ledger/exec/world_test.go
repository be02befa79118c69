// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/poa/program"
)

// People of a world by their parts.
const (
	owner     = 0 // of Datanets and most datasets
	requester = 7 // of tasks and models
	stranger  = 9 // has money and nothing else
	op1       = 3 // operators
	op2       = 4
	op3       = 5
	op4       = 6
)

// world is a chain with one of everything, ready for refusals.
type world struct {
	*chain
	ccby, closed    ID // terms: all uses; storage only
	net, closedNet  ID
	data, val       ID // 64 features
	narrow          ID // 32 features
	locked          ID // terms without TRAIN
	trained, job    ID // settled tasks: training; attribution over the same data
	posted, claimed ID // tasks that wait for a claim; a result of op1
	model, offer    ID
}

// closedTerms permit nothing but redistribution.
func closedTerms() state.Terms {
	return state.Terms{SPDX: "CC-BY-NC-ND-4.0", Flags: state.TermsRedistribute, Attribution: true}
}

func newWorld(t testing.TB) *world {
	w := &world{}
	a, b := genesis.CCBY4(), closedTerms()
	w.ccby, w.closed = a.ID(), b.ID()
	w.chain = newChain(t, func(d *genesis.Doc) {
		d.Terms = append(d.Terms, b)
		slices.SortFunc(d.Terms, func(x, y state.Terms) int {
			i, j := x.ID(), y.ID()
			return slices.Compare(i[:], j[:])
		})
	})
	w.net = w.do(owner, &tx.DatanetCreate{Name: "open", Terms: []ID{w.ccby}, StakeBase: 2 * fixed.OPEN})
	w.closedNet = w.do(owner, &tx.DatanetCreate{Name: "closed", Terms: []ID{w.closed}, StakeBase: fixed.OPEN})
	w.data = w.do(owner, w.upload("data"))
	w.val = w.do(owner, w.upload("val"))
	p := w.upload("narrow")
	p.Features = 32
	w.narrow = w.do(owner, p)
	p = w.upload("locked")
	p.Datanet, p.Terms = w.closedNet, w.closed
	w.locked = w.do(owner, p)
	for _, n := range []int{op1, op2, op3, op4} {
		w.do(n, &tx.ComputeRegister{DeviceClass: "cpu", PeerID: []byte{byte(n)}, Bond: 5 * fixed.OPEN})
	}
	w.trained = w.settle(w.train(), 8)
	w.job = w.settle(w.attribute(), 4)
	w.model = w.do(requester, w.manifest())
	w.offer = w.do(op1, &tx.OfferPost{Model: w.model, Ask: 5_000, ValidUntil: startMS * 2})
	w.posted = w.do(requester, w.train())
	w.claimed = w.do(requester, w.train())
	w.do(op1, &tx.TaskClaim{Task: w.claimed})
	return w
}

// fork copies the world, so that each case starts from the same state.
func (w *world) fork(t testing.TB) *world {
	c, d := *w, *w.chain
	d.t, d.view, d.nonces = t, w.view.clone(), maps.Clone(w.nonces)
	c.chain = &d
	return &c
}

func (w *world) upload(name string) *tx.DatasetUpload {
	return &tx.DatasetUpload{Datanet: w.net, Name: name, Content: content.Sum([]byte(name)), RowRoot: rootOf(name),
		Manifest: content.SumSHA256([]byte(name)), Rows: 100, Features: 64, Bytes: 9_000, Terms: w.ccby, Stake: 2 * fixed.OPEN}
}

// lr is the learning rate of test programs.
var lr = math.Float32bits(0.5)

func (w *world) train() *tx.TrainDescriptor {
	return &tx.TrainDescriptor{
		TaskKind: uint8(task.Train),
		Train: &program.Train{Model: program.Softmax, Features: 64, Classes: 10, Scale: 16, Batch: 32,
			StepsPerSegment: 50, Segments: 8, LR: lr},
		Datasets: []ID{w.data}, Validation: w.val, Price: 10 * fixed.OPEN, CheckFee: 3 * fixed.OPEN,
		ClaimMS: 60_000, WorkMS: 60_000, CheckMS: 60_000, RevealMS: 60_000,
	}
}

func (w *world) attribute() *tx.TrainDescriptor {
	p := w.train()
	p.TaskKind, p.Train = uint8(task.Attribute), nil
	p.Attribute = &program.Attribute{Method: program.KNN, K: 5, Soft: true, Rows: 25}
	return p
}

func (w *world) manifest() *tx.ModelManifest {
	return &tx.ModelManifest{Name: "m", Task: w.trained, WeightsRoot: rootOf("out"), Weights: content.Sum([]byte("out")),
		Bytes: 2_600, Terms: w.ccby, Royalty: 1_000, AttrMethod: program.KNN, K: 5, Stake: fixed.OPEN}
}

func (w *world) attribution() *tx.AttributionCommit {
	return &tx.AttributionCommit{Model: w.model, Job: w.job, Rule: "poa/1", WeightRoot: rootOf("weights"), W: weightTotal,
		Owners: 1, ResultRoot: rootOf("out"), Leaves: 4, Bond: fixed.OPEN}
}

func (w *world) commit(id ID, segments uint64) *tx.TaskCommit {
	return &tx.TaskCommit{Task: id, Root: rootOf("run"), Segments: segments, OutputRoot: rootOf("out"),
		Output: content.Sum([]byte("out")), OutputBytes: 2_600}
}

// settle runs a task of the requester to the end: op1 works, everyone agrees.
func (w *world) settle(p *tx.TrainDescriptor, segments uint64) ID {
	return w.settleFor(requester, p, segments)
}

func (w *world) settleFor(n int, p *tx.TrainDescriptor, segments uint64) ID {
	id := w.do(n, p)
	w.do(op1, &tx.TaskClaim{Task: id})
	w.do(op1, w.commit(id, segments))
	for _, n := range []int{op2, op3, op4} {
		w.do(n, w.hash(id, n))
	}
	for _, n := range []int{op2, op3, op4} {
		w.do(n, w.reveal(id, n))
	}
	if t, err := state.GetTask(w.view, id); err != nil || t.State != task.Settled {
		w.t.Fatalf("task is %v, %v", t.State, err)
	}
	return id
}

func (w *world) hash(id ID, n int) *tx.CheckCommit {
	return &tx.CheckCommit{Task: id, Hash: tx.CheckHash(id, addr(n), rootOf("run"), rootOf("out"), rootOf("salt"))}
}

func (w *world) reveal(id ID, _ int) *tx.CheckReveal {
	return &tx.CheckReveal{Task: id, Root: rootOf("run"), OutputRoot: rootOf("out"), Salt: rootOf("salt")}
}
