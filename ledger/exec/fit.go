// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"math/bits"

	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
)

// text is the number of features of a dataset that is a text.
const text = 0

// fit checks that a task's datasets and model exist, fit its program and each other,
// and may be used for it, and returns the number of segments. Spec: TASK-02.
func (m *machine) fit(p *tx.TrainDescriptor) (uint64, error) {
	switch {
	case p.Train != nil:
		_, err := m.fitRows(p, p.Train.Features, state.TermsTrain)
		return p.Train.Segments, err
	case p.Attribute != nil:
		return m.fitAttribute(p)
	case p.Learn != nil:
		return m.fitLearn(p)
	}
	return m.fitAsk(p)
}

// fitAttribute: the datasets are as wide as the validation rows, and no texts.
func (m *machine) fitAttribute(p *tx.TrainDescriptor) (uint64, error) {
	val, err := m.dataset(p.Validation)
	if err != nil {
		return 0, err
	}
	if val.Features == text {
		return 0, tx.Errorf(tx.EncField, "validation is a text; rows of tables are attributed")
	}
	if _, err := m.fitRows(p, val.Features, state.TermsTrain); err != nil {
		return 0, err
	}
	return fewSegments(p.Attribute.Segments(val.Rows), p.Attribute.Rows, val.Rows)
}

// fitLearn: texts that may be trained on, and a whole language model as base, if any,
// that may be tuned.
func (m *machine) fitLearn(p *tx.TrainDescriptor) (uint64, error) {
	if p.Model != (ID{}) {
		base, err := m.model(p.Model, state.TermsFineTune)
		if err != nil {
			return 0, err
		}
		switch {
		case base.AttrMethod != tx.NoAttribution:
			return 0, tx.Errorf(tx.EncField, "model %v is of tables; a base is a language model", p.Model)
		case base.Base != (ID{}):
			return 0, tx.Errorf(tx.EncField, "model %v is adapters of %v; a base has whole weights", p.Model, base.Base)
		}
	}
	_, err := m.fitRows(p, text, state.TermsTrain)
	return p.Learn.Segments(), err
}

// maxAsk bounds what a language model is asked: bytes of the texts and tokens of the
// answers, times bytes of the weights. A token of a text has about 4 bytes and a
// weight 2 or 4, so that is about decoder.MaxTaskCost multiply-adds. Who is drawn to
// check has no choice.
const maxAsk = 1 << 56

// fitAsk: a model that may be asked, and rows of the kind that it knows.
func (m *machine) fitAsk(p *tx.TrainDescriptor) (uint64, error) {
	model, err := m.model(p.Model, state.TermsInfer)
	if err != nil {
		return 0, err
	}
	weights := model.Bytes
	if model.Base != (ID{}) { // adapters answer with the weights of their base
		base, err := m.model(model.Base, state.TermsInfer)
		if err != nil {
			return 0, err
		}
		weights += base.Bytes // each at most 2^40
	}
	features := uint64(text)
	if model.AttrMethod != tx.NoAttribution {
		t, err := m.task(model.Task)
		if err != nil {
			return 0, err
		}
		features = t.Spec.Train.Features
	}
	switch {
	case features == text && !p.Ask.Text():
		return 0, tx.Errorf(tx.EncField, "model %v is a language model; tokens, its context, is 0", p.Model)
	case features != text && p.Ask.Text():
		return 0, tx.Errorf(tx.EncField, "model %v answers rows of tables; tokens is %d, not 0", p.Model, p.Ask.Tokens)
	}
	sum, err := m.fitRows(p, features, state.TermsEval)
	if err != nil {
		return 0, err
	}
	if features == text {
		if hi, lo := bits.Mul64(sum.bytes+sum.rows*p.Ask.Max, weights); hi != 0 || lo > maxAsk {
			return 0, tx.Errorf(tx.EncField, "%d bytes of texts and %d rows of up to %d tokens cost too much of a model of %d bytes; ask less", sum.bytes, sum.rows, p.Ask.Max, weights)
		}
	}
	return fewSegments(p.Ask.Segments(sum.rows), p.Ask.Rows, sum.rows)
}

// fewSegments refuses a task that nobody could commit to.
func fewSegments(n, each, rows uint64) (uint64, error) {
	if n > task.MaxSegments {
		return 0, tx.Errorf(tx.EncField, "%d segments of %d of %d rows, at most %d; take more rows for each", n, each, rows, task.MaxSegments)
	}
	return n, nil
}

// size is what datasets hold together: at most 64 times 2^24 rows and 2^36 bytes.
type size struct{ rows, bytes uint64 }

// fitRows checks that the datasets, and the validation rows if there are any, have
// these features and permit these uses. It adds up the datasets.
func (m *machine) fitRows(p *tx.TrainDescriptor, features, uses uint64) (sum size, err error) {
	if p.Validation != (ID{}) {
		if _, err := m.fitDataset("validation", p.Validation, features, uses); err != nil {
			return sum, err
		}
	}
	for _, id := range p.Datasets {
		d, err := m.fitDataset("dataset", id, features, uses)
		if err != nil {
			return sum, err
		}
		sum.rows += d.Rows
		sum.bytes += d.Bytes
	}
	return sum, nil
}

func (m *machine) fitDataset(what string, id ID, features, uses uint64) (state.Dataset, error) {
	d, err := m.dataset(id)
	if err != nil {
		return d, err
	}
	if err := m.permits(d.Terms, uses); err != nil {
		return d, err
	}
	if d.Features != features {
		return d, tx.Errorf(tx.EncField, "%s %v has %d features, want %d; a text has 0", what, id, d.Features, features)
	}
	return d, nil
}

// dataset reads a dataset. Errors: ObjUnknown.
func (m *machine) dataset(id ID) (state.Dataset, error) {
	d, ok := load[state.Dataset](m, state.DatasetKey(id))
	if !ok {
		return d, tx.Errorf(tx.ObjUnknown, "no dataset %v", id)
	}
	return d, nil
}

// model reads a model that permits these uses. Errors: ObjUnknown, LicPurpose.
func (m *machine) model(id ID, uses uint64) (state.Model, error) {
	rec, ok := load[state.Model](m, state.ModelKey(id))
	if !ok {
		return rec, tx.Errorf(tx.ObjUnknown, "no model %v", id)
	}
	return rec, m.permits(rec.Terms, uses)
}
