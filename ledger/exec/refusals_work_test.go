// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/poa/checkpoint"
	"github.com/openledger/openledger/poa/program"
)

func kvs(key, value []byte) []merkle.KV { return []merkle.KV{{Key: key, Value: value}} }

// dismiss takes operators out of the state, their money to the reserve.
func (w *world) dismiss(list ...int) {
	for _, n := range list {
		op, err := state.GetOperator(w.view, addr(n))
		if err != nil {
			w.t.Fatal(err)
		}
		w.view.write(kvs(state.OperatorKey(addr(n)), nil))
		set := func(k []byte, free fixed.Amount) { w.view.vals[string(k)] = encode(state.Account{Free: free}) }
		set(state.AccountKey(state.Compute), w.free(state.Compute)-op.Bond)
		set(state.AccountKey(state.Deposits), w.free(state.Deposits)-op.Deposit)
		set(state.AccountKey(state.Reserve), w.free(state.Reserve)+op.Bond+op.Deposit)
	}
}

func TestTrainDescriptorRefusals(t *testing.T) {
	train := func(f func(w *world, p *tx.TrainDescriptor)) func(w *world) tx.Payload {
		return func(w *world) tx.Payload {
			p := w.train()
			f(w, p)
			return p
		}
	}
	refuse(t, newWorld(t), []refusal{
		{"an unknown dataset", requester, nil, train(func(w *world, p *tx.TrainDescriptor) { p.Datasets = []ID{rootOf("none")} }), tx.ObjUnknown},
		{"unknown validation rows", requester, nil, train(func(w *world, p *tx.TrainDescriptor) { p.Validation = rootOf("none") }), tx.ObjUnknown},
		{"a dataset that may not be trained on", requester, nil, train(func(w *world, p *tx.TrainDescriptor) { p.Datasets = []ID{w.locked} }), tx.LicPurpose},
		{"a dataset of another width", requester, nil, train(func(w *world, p *tx.TrainDescriptor) { p.Datasets = []ID{w.narrow} }), tx.EncField},
		{"validation rows of another width", requester, nil, train(func(w *world, p *tx.TrainDescriptor) { p.Validation = w.narrow }), tx.EncField},
		{"a program of another width", requester, nil, train(func(w *world, p *tx.TrainDescriptor) { p.Train.Features = 63 }), tx.EncField},
		{"an attribution in more segments than one commitment holds", requester, func(w *world) {
			d, err := state.GetDataset(w.view, w.train().Validation)
			if err != nil {
				w.t.Fatal(err)
			}
			d.Rows = checkpoint.MaxSegments + 1
			w.view.write(kvs(state.DatasetKey(w.train().Validation), encode(d)))
		}, func(w *world) tx.Payload {
			p := w.train()
			p.TaskKind, p.Train, p.Attribute = uint8(task.Attribute), nil, &program.Attribute{Method: program.KNN, K: 5, Rows: 1}
			return p
		}, tx.EncField},
		{"no money for the escrow", requester, nil, train(func(w *world, p *tx.TrainDescriptor) { p.Price = 2 * rich }), tx.TskEscrow},
		{"no money for the state deposit", stranger, poor, train(func(w *world, p *tx.TrainDescriptor) {}), tx.ObjDeposit},
	})
}

func TestTaskClaimRefusals(t *testing.T) {
	claim := func(w *world) tx.Payload { return &tx.TaskClaim{Task: w.posted} }
	refuse(t, newWorld(t), []refusal{
		{"by someone who is no operator", stranger, nil, claim, tx.TskBond},
		{"of an unknown task", op1, nil, func(w *world) tx.Payload { return &tx.TaskClaim{Task: rootOf("none")} }, tx.ObjUnknown},
		{"of a task that is taken", op2, nil, func(w *world) tx.Payload { return &tx.TaskClaim{Task: w.claimed} }, tx.TskPhase},
		{"by its requester", requester, func(w *world) {
			w.do(requester, &tx.ComputeRegister{DeviceClass: "cpu", PeerID: []byte{9}, Bond: fixed.OPEN})
		}, claim, tx.ObjOwner},
		{"after its window", op1, func(w *world) {
			for range 7 {
				w.blockAfter(10_000)
			}
		}, claim, tx.TskPhase},
	})
}

func TestTaskCommitRefusals(t *testing.T) {
	alone := func(w *world) { w.dismiss(op2, op3, op4) }
	refuse(t, newWorld(t), []refusal{
		{"of an unknown task", op1, nil, func(w *world) tx.Payload { return w.commit(rootOf("none"), 8) }, tx.ObjUnknown},
		{"by another operator", op2, nil, func(w *world) tx.Payload { return w.commit(w.claimed, 8) }, tx.ObjOwner},
		{"of a task that nobody has claimed", op1, nil, func(w *world) tx.Payload { return w.commit(w.posted, 8) }, tx.TskPhase},
		{"with a wrong number of segments", op1, nil, func(w *world) tx.Payload { return w.commit(w.claimed, 7) }, tx.TskProof},
		{"when nobody can check", op1, alone, func(w *world) tx.Payload { return w.commit(w.claimed, 8) }, tx.ObjLimit},
		{"twice", op1, func(w *world) { w.do(op1, w.commit(w.claimed, 8)) }, func(w *world) tx.Payload { return w.commit(w.claimed, 8) }, tx.TskPhase},
	})
}

func TestCheckCommitRefusals(t *testing.T) {
	committed := func(w *world) { w.do(op1, w.commit(w.claimed, 8)) }
	refuse(t, newWorld(t), []refusal{
		{"of an unknown task", op2, nil, func(w *world) tx.Payload { return w.hash(rootOf("none"), op2) }, tx.ObjUnknown},
		{"before there is a result", op2, nil, func(w *world) tx.Payload { return w.hash(w.claimed, op2) }, tx.TskPhase},
		{"by someone who was not drawn", stranger, committed, func(w *world) tx.Payload { return w.hash(w.claimed, stranger) }, tx.TskNotDrawn},
		{"by the operator", op1, committed, func(w *world) tx.Payload { return w.hash(w.claimed, op1) }, tx.TskNotDrawn},
		{"twice", op2, func(w *world) {
			committed(w)
			w.do(op2, w.hash(w.claimed, op2))
		}, func(w *world) tx.Payload { return w.hash(w.claimed, op2) }, tx.TskPhase},
	})
}

func TestCheckRevealRefusals(t *testing.T) {
	committed := func(w *world) {
		w.do(op1, w.commit(w.claimed, 8))
		for _, n := range []int{op2, op3, op4} {
			w.do(n, w.hash(w.claimed, n))
		}
	}
	reveal := func(w *world) tx.Payload { return w.reveal(w.claimed, op2) }
	refuse(t, newWorld(t), []refusal{
		{"of an unknown task", op2, nil, func(w *world) tx.Payload { return w.reveal(rootOf("none"), op2) }, tx.ObjUnknown},
		{"while commitments are open", op2, func(w *world) {
			w.do(op1, w.commit(w.claimed, 8))
			w.do(op2, w.hash(w.claimed, op2))
		}, reveal, tx.TskPhase},
		{"by someone who was not drawn", stranger, committed, reveal, tx.TskNotDrawn},
		{"that is not what was committed", op2, committed, func(w *world) tx.Payload {
			p := w.reveal(w.claimed, op2)
			p.OutputRoot = rootOf("another")
			return p
		}, tx.TskCommitHash},
		{"twice", op2, func(w *world) {
			committed(w)
			w.do(op2, w.reveal(w.claimed, op2))
		}, reveal, tx.TskPhase},
	})
}

func TestModelManifestRefusals(t *testing.T) {
	fresh := func(w *world) { w.trained = w.settle(w.train(), 8) }
	manifest := func(f func(w *world, p *tx.ModelManifest)) func(w *world) tx.Payload {
		return func(w *world) tx.Payload {
			p := w.manifest()
			f(w, p)
			return p
		}
	}
	none := func(*world, *tx.ModelManifest) {}
	refuse(t, newWorld(t), []refusal{
		{"of an unknown task", requester, nil, manifest(func(w *world, p *tx.ModelManifest) { p.Task = rootOf("none") }), tx.ObjUnknown},
		{"of a task that is not settled", requester, nil, manifest(func(w *world, p *tx.ModelManifest) { p.Task = w.claimed }), tx.TskPhase},
		{"of an attribution", requester, nil, manifest(func(w *world, p *tx.ModelManifest) { p.Task = w.job }), tx.TskPhase},
		{"of an attribution, without attribution", requester, nil, func(w *world) tx.Payload { return w.manifestOf(w.job) }, tx.TskPhase},
		{"of a training task, without attribution", requester, fresh, func(w *world) tx.Payload { return w.manifestOf(w.trained) }, tx.TskPhase},
		{"of learning, with attribution", requester, nil, manifest(func(w *world, p *tx.ModelManifest) { p.Task = w.adapted }), tx.TskPhase},
		{"a second model of one task of learning", requester, nil, func(w *world) tx.Payload { return w.manifestOf(w.adapted) }, tx.ObjExists},
		{"of no task, with the stake of others", requester, nil, func(w *world) tx.Payload {
			p := w.imported()
			p.Stake--
			return p
		}, tx.StkBondLow},
		{"of no task, under terms that do not permit answers", requester, nil, func(w *world) tx.Payload {
			p := w.imported()
			p.Terms = w.closed
			return p
		}, tx.LicPurpose},
		{"of another requester's task", stranger, fresh, manifest(none), tx.ObjOwner},
		{"with other weights", requester, fresh, manifest(func(w *world, p *tx.ModelManifest) { p.WeightsRoot = rootOf("x") }), tx.TskProof},
		{"with another file", requester, fresh, manifest(func(w *world, p *tx.ModelManifest) { p.Weights = content.Sum([]byte("x")) }), tx.TskProof},
		{"with another size", requester, fresh, manifest(func(w *world, p *tx.ModelManifest) { p.Bytes++ }), tx.TskProof},
		{"a second model of one task", requester, nil, manifest(none), tx.ObjExists},
		{"a stake below the minimum", requester, fresh, manifest(func(w *world, p *tx.ModelManifest) { p.Stake-- }), tx.StkBondLow},
		{"unknown terms", requester, fresh, manifest(func(w *world, p *tx.ModelManifest) { p.Terms = rootOf("none") }), tx.LicTerms},
		{"terms that do not permit answers", requester, fresh, manifest(func(w *world, p *tx.ModelManifest) { p.Terms = w.closed }), tx.LicPurpose},
		{"no money for the state deposit", stranger, poor, func(w *world) tx.Payload { return w.imported() }, tx.ObjDeposit},
		{"no money for the stake", requester, fresh, manifest(func(w *world, p *tx.ModelManifest) { p.Stake = 2 * rich }), tx.TxFunds},
	})
}

func TestAttributionCommitRefusals(t *testing.T) {
	attr := func(f func(w *world, p *tx.AttributionCommit)) func(w *world) tx.Payload {
		return func(w *world) tx.Payload {
			p := w.attribution()
			f(w, p)
			return p
		}
	}
	none := func(*world, *tx.AttributionCommit) {}
	other := func(w *world) { // a job over other data
		p := w.attribute()
		p.Datasets, p.Validation = []ID{w.val}, w.data
		w.job = w.settle(p, 4)
	}
	borrowed := func(w *world) { // somebody else's job over the same data
		w.job = w.settleFor(stranger, w.attribute(), 4)
	}
	refuse(t, newWorld(t), []refusal{
		{"of an unknown model", requester, nil, attr(func(w *world, p *tx.AttributionCommit) { p.Model = rootOf("none") }), tx.ObjUnknown},
		{"by another account", stranger, nil, attr(none), tx.ObjOwner},
		{"of a language model", requester, nil, attr(func(w *world, p *tx.AttributionCommit) { p.Model = w.tuned }), tx.PoaNoMethod},
		{"under another rule", requester, nil, attr(func(w *world, p *tx.AttributionCommit) { p.Rule = "poa/2" }), tx.PoaRuleInactive},
		{"a second time", requester, func(w *world) { w.do(requester, w.attribution()) }, attr(none), tx.ObjExists},
		{"a bond below the minimum", requester, nil, attr(func(w *world, p *tx.AttributionCommit) { p.Bond-- }), tx.StkBondLow},
		{"of an unknown job", requester, nil, attr(func(w *world, p *tx.AttributionCommit) { p.Job = rootOf("none") }), tx.PoaJobUnknown},
		{"of a training task", requester, nil, attr(func(w *world, p *tx.AttributionCommit) { p.Job = w.trained }), tx.PoaJobUnknown},
		{"of another requester's job", requester, borrowed, attr(none), tx.PoaJobUnknown},
		{"of a job over other data", requester, other, attr(none), tx.PoaJobUnknown},
		{"with another result", requester, nil, attr(func(w *world, p *tx.AttributionCommit) { p.ResultRoot = rootOf("x") }), tx.PoaSumMismatch},
		{"with another number of leaves", requester, nil, attr(func(w *world, p *tx.AttributionCommit) { p.Leaves = 5 }), tx.PoaSumMismatch},
		{"with weights that do not sum to 2^40", requester, nil, attr(func(w *world, p *tx.AttributionCommit) { p.W-- }), tx.PoaSumMismatch},
		{"attributed to nobody", requester, nil, attr(func(w *world, p *tx.AttributionCommit) { p.Owners = 0 }), tx.PoaSumMismatch},
		{"no money for the bond", requester, nil, attr(func(w *world, p *tx.AttributionCommit) { p.Bond = 2 * rich }), tx.TxFunds},
	})
}

func TestANetworkOfFewChecksWithFew(t *testing.T) {
	w := newWorld(t)
	w.dismiss(op3, op4) // op2 alone is left to check
	w.do(op1, w.commit(w.claimed, 8))
	w.do(op2, w.hash(w.claimed, op2))
	before := w.free(addr(op2))
	r := w.receipt(w.sign(op2, w.reveal(w.claimed, op2)))
	if r.Code != tx.OK {
		t.Fatalf("%v", r.Code)
	}
	if got := w.free(addr(op2)) + r.Fee - before; got != 3*fixed.OPEN {
		t.Errorf("the only checker gets %v", got)
	}
}
