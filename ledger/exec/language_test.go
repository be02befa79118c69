// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/poa/decoder"
)

func TestTASK02LanguageRefusals(t *testing.T) {
	post := func(make func(*world) *tx.TrainDescriptor, f func(w *world, p *tx.TrainDescriptor)) func(w *world) tx.Payload {
		return func(w *world) tx.Payload {
			p := make(w)
			f(w, p)
			return p
		}
	}
	rows := func(n uint64) func(*world) {
		return func(w *world) {
			d, err := state.GetDataset(w.view, w.text)
			if err != nil {
				w.t.Fatal(err)
			}
			d.Rows = n
			w.view.write(kvs(state.DatasetKey(w.text), encode(d)))
		}
	}
	large := func(id func(*world) ID, bytes uint64) func(*world) {
		return func(w *world) {
			m, err := state.GetModel(w.view, id(w))
			if err != nil {
				w.t.Fatal(err)
			}
			m.Bytes = bytes
			w.view.write(kvs(state.ModelKey(id(w)), encode(m)))
		}
	}
	theBase := func(w *world) ID { return w.base }
	none := func(*world, *tx.TrainDescriptor) {}
	data := func(w *world, p *tx.TrainDescriptor) { p.Datasets = []ID{w.data} }
	unknown := func(w *world, p *tx.TrainDescriptor) { p.Datasets = []ID{rootOf("none")} }
	valid := func(w *world, p *tx.TrainDescriptor) { p.Validation = w.val }
	nothing := func(w *world, p *tx.TrainDescriptor) { p.Model = rootOf("none") }
	refuse(t, newWorld(t), []refusal{
		{"training on a text", requester, nil, post((*world).train, func(w *world, p *tx.TrainDescriptor) { p.Datasets = []ID{w.text} }), tx.EncField},
		{"training validated on a text", requester, nil, post((*world).train, func(w *world, p *tx.TrainDescriptor) { p.Validation = w.text }), tx.EncField},
		{"an attribution of a text", requester, nil, post((*world).attribute, func(w *world, p *tx.TrainDescriptor) { p.Datasets = []ID{w.text} }), tx.EncField},
		{"an attribution of texts", requester, func(w *world) { w.text = w.do(owner, w.uploadText("more")) }, post((*world).attribute, func(w *world, p *tx.TrainDescriptor) {
			d, _ := state.GetDataset(w.view, w.data)
			d.Features = text
			w.view.write(kvs(state.DatasetKey(w.data), encode(d)))
			p.Validation = w.text
		}), tx.EncField},
		{"an attribution by unknown rows", requester, nil, post((*world).attribute, func(w *world, p *tx.TrainDescriptor) { p.Validation = rootOf("none") }), tx.ObjUnknown},
		{"learning from a table", requester, nil, post((*world).learn, data), tx.EncField},
		{"learning validated on a table", requester, nil, post((*world).learn, valid), tx.EncField},
		{"learning from an unknown text", requester, nil, post((*world).learn, unknown), tx.ObjUnknown},
		{"adapters of an unknown model", requester, nil, post((*world).adapt, nothing), tx.ObjUnknown},
		{"adapters of a model of tables", requester, nil, post((*world).adapt, func(w *world, p *tx.TrainDescriptor) { p.Model = w.model }), tx.EncField},
		{"adapters of adapters", requester, nil, post((*world).adapt, func(w *world, p *tx.TrainDescriptor) { p.Model = w.tuned }), tx.EncField},
		{"learning on from adapters", requester, nil, post((*world).adapt, func(w *world, p *tx.TrainDescriptor) {
			p.Model, p.Learn.Net.LoRA = w.tuned, decoder.LoRA{}
		}), tx.EncField},
		{"an evaluation of an unknown model", requester, nil, post((*world).evaluate, nothing), tx.ObjUnknown},
		{"an evaluation on an unknown text", requester, nil, post((*world).evaluate, unknown), tx.ObjUnknown},
		{"an evaluation of a language model on a table", requester, nil, post((*world).evaluate, data), tx.EncField},
		{"an evaluation validated on a table", requester, nil, post((*world).evaluate, valid), tx.EncField},
		{"an evaluation of a language model without a context", requester, nil, post((*world).evaluate, func(w *world, p *tx.TrainDescriptor) { p.Ask = w.table().Ask }), tx.EncField},
		{"an evaluation of a model of tables with a context", requester, nil, post((*world).table, func(w *world, p *tx.TrainDescriptor) { p.Ask = w.evaluate().Ask }), tx.EncField},
		{"an evaluation of a model of tables on a text", requester, nil, post((*world).table, func(w *world, p *tx.TrainDescriptor) { p.Datasets = []ID{w.text} }), tx.EncField},
		{"an evaluation on a table of another width", requester, nil, post((*world).table, func(w *world, p *tx.TrainDescriptor) { p.Datasets = []ID{w.narrow} }), tx.EncField},
		{"answers in more segments than one commitment holds", requester, rows(25*task.MaxSegments + 1), post((*world).answer, none), tx.EncField},
		// A text of 9,000 bytes; with 100 answers of 8 tokens 9,800.
		{"an evaluation that costs too much", requester, large(theBase, maxAsk/9_000+1), post((*world).evaluate, none), tx.EncField},
		{"answers that cost too much", requester, large(theBase, maxAsk/9_800+1), post((*world).answer, none), tx.EncField},
		{"answers of adapters whose base costs too much", requester, large(theBase, maxAsk/9_800), post((*world).answer, func(w *world, p *tx.TrainDescriptor) { p.Model = w.tuned }), tx.EncField},
		{"an evaluation of the largest model on the largest text", requester, func(w *world) {
			large(theBase, tx.MaxModelBytes)(w)
			d, _ := state.GetDataset(w.view, w.text)
			d.Bytes = tx.MaxTextBytes
			w.view.write(kvs(state.DatasetKey(w.text), encode(d)))
		}, post((*world).evaluate, none), tx.EncField},
		{"no money for the escrow", requester, nil, post((*world).learn, func(w *world, p *tx.TrainDescriptor) { p.Price = 2 * rich }), tx.TskEscrow},
		{"no money for the state deposit", stranger, poor, post((*world).answer, none), tx.ObjDeposit},
	})
}

// TestTASK02EachUseNeedsItsFlag posts each kind of task under terms with exactly the
// flag that its use of an object needs, and under terms with all flags but that.
func TestTASK02EachUseNeedsItsFlag(t *testing.T) {
	base := newWorld(t)
	terms := rootOf("terms")
	dataset := func(id ID) func(*world) {
		return func(w *world) {
			d, _ := state.GetDataset(w.view, id)
			d.Terms = terms
			w.view.write(kvs(state.DatasetKey(id), encode(d)))
		}
	}
	model := func(id ID) func(*world) {
		return func(w *world) {
			m, _ := state.GetModel(w.view, id)
			m.Terms = terms
			w.view.write(kvs(state.ModelKey(id), encode(m)))
		}
	}
	adapters := func(w *world) *tx.TrainDescriptor {
		p := w.answer()
		p.Model = w.tuned
		return p
	}
	validated := func(w *world) *tx.TrainDescriptor {
		p := w.learn()
		p.Datasets, p.Validation = []ID{w.do(owner, w.uploadText("more"))}, w.text
		return p
	}
	for _, c := range []struct {
		name string
		set  func(*world)
		make func(*world) *tx.TrainDescriptor
		flag uint64
	}{
		{"training, its data", dataset(base.data), (*world).train, state.TermsTrain},
		{"training, its validation", dataset(base.val), (*world).train, state.TermsTrain},
		{"an attribution, its data", dataset(base.data), (*world).attribute, state.TermsTrain},
		{"an attribution, its validation", dataset(base.val), (*world).attribute, state.TermsTrain},
		{"learning from nothing, its text", dataset(base.text), (*world).learn, state.TermsTrain},
		{"learning, its validation", dataset(base.text), validated, state.TermsTrain},
		{"adapters, their text", dataset(base.text), (*world).adapt, state.TermsTrain},
		{"adapters, their base", model(base.base), (*world).adapt, state.TermsFineTune},
		{"an evaluation, its text", dataset(base.text), (*world).evaluate, state.TermsEval},
		{"an evaluation, its model", model(base.base), (*world).evaluate, state.TermsInfer},
		{"an evaluation of a table, its rows", dataset(base.data), (*world).table, state.TermsEval},
		{"an evaluation of a table, its model", model(base.model), (*world).table, state.TermsInfer},
		{"answers, their text", dataset(base.text), (*world).answer, state.TermsEval},
		{"answers, their model", model(base.base), (*world).answer, state.TermsInfer},
		{"answers of adapters, the adapters", model(base.tuned), adapters, state.TermsInfer},
		{"answers of adapters, their base", model(base.base), adapters, state.TermsInfer},
	} {
		t.Run(c.name, func(t *testing.T) {
			for flags, want := range map[uint64]tx.Code{c.flag: tx.OK, 0xff &^ c.flag: tx.LicPurpose} {
				w := base.fork(t)
				p := c.make(w)
				w.view.write(kvs(state.TermsKey(terms), encode(state.Terms{Flags: flags})))
				c.set(w)
				if got := w.receipt(w.sign(requester, p)).Code; got != want {
					t.Errorf("terms 0x%x: %v, want %v", flags, got, want)
				}
			}
		})
	}
}

func TestMOD02WhatAModelIs(t *testing.T) {
	w := newWorld(t)
	learned := w.settle(w.learn(), 5)
	full := w.adapt()
	full.Learn.Net.LoRA = decoder.LoRA{}
	tuned := w.settle(full, 5)
	again := w.imported() // a second owner may import the same weights
	again.Name = "again"
	for _, c := range []struct {
		name       string
		id         ID
		task, base ID
		unreplayed bool
		stake      fixed.Amount
	}{
		{"from elsewhere", w.base, ID{}, ID{}, true, 4 * fixed.OPEN},
		{"from elsewhere, again", w.do(stranger, again), ID{}, ID{}, true, 4 * fixed.OPEN},
		{"adapters", w.tuned, w.adapted, w.base, false, fixed.OPEN},
		{"learned from nothing", w.do(requester, w.manifestOf(learned)), learned, ID{}, false, fixed.OPEN},
		{"learned on, all weights", w.do(requester, w.manifestOf(tuned)), tuned, ID{}, false, fixed.OPEN},
		{"of tables", w.model, w.trained, ID{}, false, fixed.OPEN},
	} {
		m, err := state.GetModel(w.view, c.id)
		if err != nil || m.Task != c.task || m.Base != c.base || m.Unreplayed != c.unreplayed || m.Stake != c.stake {
			t.Errorf("%s: %+v, %v", c.name, m, err)
		}
		if c.unreplayed != (len(m.Datasets) == 0) {
			t.Errorf("%s: datasets %v", c.name, m.Datasets)
		}
	}
}

func TestTASK02SegmentsOfQuestions(t *testing.T) {
	w := newWorld(t)
	more := w.do(owner, w.uploadText("more"))
	both := []ID{w.text, more}
	if string(both[0][:]) > string(both[1][:]) {
		both[0], both[1] = both[1], both[0]
	}
	for _, c := range []struct {
		name string
		p    *tx.TrainDescriptor
		want uint64
	}{
		{"learning", w.learn(), 5},
		{"adapters", w.adapt(), 5},
		{"one text of 100 lines by 25", w.evaluate(), 4},
		{"two of them by 60", func() *tx.TrainDescriptor { p := w.answer(); p.Datasets, p.Ask.Rows = both, 60; return p }(), 4},
		{"a table of 100 rows by 25", w.table(), 4},
	} {
		got, err := state.GetTask(w.view, w.do(requester, c.p))
		if err != nil || got.Spec.Segments != c.want || got.Spec.Model != c.p.Model || got.Spec.Kind != task.Kind(c.p.TaskKind) {
			t.Errorf("%s: %+v, %v", c.name, got.Spec, err)
		}
	}
}

func TestTASK01WhatAQuestionMayCost(t *testing.T) {
	w := newWorld(t)
	m, err := state.GetModel(w.view, w.base)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		p     *tx.TrainDescriptor
		bytes uint64
	}{{w.evaluate(), maxAsk / 9_000}, {w.answer(), maxAsk / 9_800}} {
		m.Bytes = c.bytes
		w.view.write(kvs(state.ModelKey(w.base), encode(m)))
		w.do(requester, c.p)
	}
}

// TestENC02TheLargestDescriptorFits fills every list of a descriptor: it fits a
// transaction, its record a value of the state, and its task is paid for by bytes.
func TestENC02TheLargestDescriptorFits(t *testing.T) {
	w := newWorld(t)
	p := w.adapt()
	p.Learn.Net.LoRA.Targets = decoder.Matrices()
	p.Learn.Seed, p.Validation = ^uint64(0), ID{255, 255}
	p.Datasets = nil
	for n := range tx.MaxTaskDatasets {
		p.Datasets = append(p.Datasets, ID{1, byte(n)})
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	v := w.sign(requester, p)
	spec := task.Spec{Kind: task.Learn, Learn: p.Learn, Model: p.Model, Datasets: p.Datasets, Validation: p.Validation}
	record := enc.Encode(task.Task{Spec: spec, Checkers: make([]task.Checker, task.Checkers), Past: make([]task.Checker, task.Checkers)})
	if len(v.Bytes()) > 4<<10 || len(record) > 4<<10 {
		t.Errorf("transaction of %d bytes, record of %d", len(v.Bytes()), len(record))
	}
}
