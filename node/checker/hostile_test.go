// SPDX-License-Identifier: Apache-2.0

package checker_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/poa/decoder"
)

func safetensor(json string, zeros int) []byte {
	json += strings.Repeat(" ", (8-len(json)%8)%8)
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(json))), json...), make([]byte, zeros)...)
}

// TestHostileModelsAreNotWorkedOn: anyone can record a model whose content is anything.
// Tasks on it are not claimed, nothing is kept of them, and the next task is done.
func TestHostileModelsAreNotWorkedOn(t *testing.T) {
	w := newScriptorium(t)
	first := w.learn(nano(), tx.ID{})
	good := w.done(first)
	v, err := w.chain.View()
	if err != nil {
		t.Fatal(err)
	}
	params, err := state.GetParams(v)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"a byte":              {1},
		"a truncated package": good[:len(good)-1],
		"half a header":       good[:100],
		"a header of 2^62":    append(binary.LittleEndian.AppendUint64(nil, 1<<62), good[8:]...),
		"a huge shape":        safetensor(`{"config.json":{"dtype":"U8","shape":[4294967295,4294967295,4294967295],"data_offsets":[0,4]}}`, 4),
		"overlapping tensors": safetensor(`{"config.json":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"tokenizer.json":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, 4),
		"a config of nothing": safetensor(`{"config.json":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"tokenizer.json":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, 8),
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			id := content.Sum(b)
			w.blobs[id] = b
			root := w.task(first).Output.Verdict.OutputRoot
			root[0] ^= byte(len(b)) | 1
			model := tx.ObjectID(w.must(requester, &tx.ModelManifest{Name: "bad", WeightsRoot: root, Weights: id, Bytes: uint64(len(b)),
				Terms: genesis.CCBY4().ID(), AttrMethod: tx.NoAttribution, Stake: 4 * params.ModelStake}), tx.KindModelManifest, 0)
			tasks := []tx.ID{w.ask(decoder.Ask{Rows: 1, Tokens: 8, Max: 1}, model), w.learn(nano(), model), w.learn(adapters(), model)}
			p := w.person(1)
			k := worker.New(p, false, quiet)
			for range 2 {
				if err := k.Turn(t.Context()); err != nil {
					t.Error(err)
				}
			}
			for _, id := range tasks {
				if got := w.task(id); got.State != task.Posted {
					t.Errorf("a task of kind %v is %v", got.Spec.Kind, got.State)
				}
			}
			if left, err := os.ReadDir(p.dir); len(p.sent) > 0 || len(left) > 0 || err != nil {
				t.Errorf("sent %v, kept %v %v", p.sent, left, err)
			}
		})
	}
	w.t = t
	next := w.learn(nano(), tx.ID{})
	w.done(next)
}

// TestALanguageModelThatDivergesIsGivenUp: nothing is committed or kept of it.
func TestALanguageModelThatDivergesIsGivenUp(t *testing.T) {
	for _, cards := range []bool{false, true} {
		t.Run(fmt.Sprintf("cards=%v", cards), func(t *testing.T) {
			w := newScriptorium(t)
			if cards {
				w.lends = func(int) worker.Card { return lent{&card{fast(t), -1, func(error) {}}} }
			}
			wild := nano()
			wild.Rate, wild.Warm, wild.Optimizer, wild.Clip = fx.Bits(3e38), 0, decoder.SGD, 0
			bad, good := w.learn(wild, tx.ID{}), w.learn(nano(), tx.ID{})
			p := w.person(1)
			k := worker.New(p, false, quiet)
			if err := k.Turn(t.Context()); err != nil {
				t.Fatal(err)
			}
			if a, b := w.task(bad), w.task(good); a.State != task.Assigned || a.Output != nil || b.State != task.Committed {
				t.Fatalf("states %v and %v", a.State, b.State)
			}
			sent := slices.Clone(p.sent)
			if err := k.Turn(t.Context()); err != nil || !slices.Equal(p.sent, sent) {
				t.Errorf("the next turn sends %v, %v", p.sent[len(sent):], err)
			}
			if left, err := os.ReadDir(p.dir); len(left) > 0 || err != nil {
				t.Errorf("kept %v %v", left, err)
			}
			if _, err := p.local.Get(append([]byte("worker/state/"), bad[:]...)); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("kept: %v", err)
			}
		})
	}
}
