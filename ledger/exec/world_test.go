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
	"github.com/openledger/openledger/poa/decoder"
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
	text            ID // a dataset without features
	base, tuned     ID // language models: from elsewhere; adapters of it
	adapted         ID // the settled task that made them
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
	w.text = w.do(owner, w.uploadText("text"))
	w.base = w.do(requester, w.imported())
	w.adapted = w.settle(w.adapt(), 5)
	w.tuned = w.do(requester, w.manifestOf(w.adapted))
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

func (w *world) uploadText(name string) *tx.DatasetUpload {
	p := w.upload(name)
	p.Features = 0
	return p
}

// learn makes a small language model from nothing, in 5 segments.
func (w *world) learn() *tx.TrainDescriptor {
	p := w.train()
	p.TaskKind, p.Train, p.Datasets, p.Validation = uint8(task.Learn), nil, []ID{w.text}, ID{}
	p.Learn = &decoder.Learn{Net: decoder.Net{Arch: decoder.Arch{Layers: 2, Hidden: 32, Inner: 64, Heads: 4, KVHeads: 2, HeadDim: 8, Vocab: 512,
		Positions: 64, Eps: 0x3727c5ac}}, Seqs: 4, Tokens: 64, Steps: 99, StepsPerSegment: 20, Optimizer: decoder.SGD, Rate: lr}
	return p
}

// adapt makes adapters of the model from elsewhere.
func (w *world) adapt() *tx.TrainDescriptor {
	p := w.learn()
	p.Model, p.Learn.Net.LoRA = w.base, decoder.LoRA{Rank: 4, Scale: lr, Targets: []string{"q", "v"}}
	return p
}

// evaluate asks the model from elsewhere about a text of 100 lines, in 4 segments.
func (w *world) evaluate() *tx.TrainDescriptor {
	p := w.learn()
	p.TaskKind, p.Learn, p.Model, p.Ask = uint8(task.Evaluate), nil, w.base, &decoder.Ask{Rows: 25, Tokens: 64}
	return p
}

func (w *world) answer() *tx.TrainDescriptor {
	p := w.evaluate()
	p.TaskKind, p.Ask.Max = uint8(task.Answer), 8
	return p
}

// table asks the trained model about rows of 64 features, in 4 segments.
func (w *world) table() *tx.TrainDescriptor {
	p := w.evaluate()
	p.Model, p.Datasets, p.Ask = w.model, []ID{w.data}, &decoder.Ask{Rows: 25}
	return p
}

// imported publishes a language model that no task made.
func (w *world) imported() *tx.ModelManifest {
	p := w.manifestOf(ID{})
	p.Stake = 4 * fixed.OPEN
	return p
}

// manifestOf publishes what a task of learning made.
func (w *world) manifestOf(id ID) *tx.ModelManifest {
	p := w.manifest()
	p.Task, p.AttrMethod, p.K, p.Royalty = id, tx.NoAttribution, 0, 0
	return p
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
