// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/node/worker"
	"github.com/openledger/openledger/poa/decoder"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/testnet/localnet"
)

// learnTask publishes a text and posts a task that learns from it for some seconds.
func learnTask(t *testing.T, n *localnet.Network, key keys.PrivateKey) tx.ID {
	t.Helper()
	ctx, c := t.Context(), n.Nodes[0].Client()
	terms := genesis.CCBY4().ID()
	books, err := c.Create(ctx, key, &tx.DatanetCreate{Name: "books", Terms: []tx.ID{terms}, StakeBase: 1})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/spec/compute.md") // the project's own words
	if err != nil {
		t.Fatal(err)
	}
	text = text[:16<<10]
	text = text[:strings.LastIndexByte(string(text), '\n')]
	m, err := publish.PrepareText("compute.md", text, publish.Input{Name: "compute.md", Terms: terms, Owner: keys.SingleAuth(key.Public()).Address()})
	if err != nil {
		t.Fatal(err)
	}
	data, err := publish.Publish(ctx, c, key, m, text, tx.ID(books.ID), fixed.OPEN)
	if err != nil {
		t.Fatal(err)
	}
	spec := decoder.Learn{Net: decoder.Net{Arch: decoder.Arch{Layers: 2, Hidden: 32, Inner: 64, Heads: 4, KVHeads: 2, HeadDim: 8, Vocab: 300, Positions: 32,
		Eps: fx.Bits(1e-5), Tied: true}}, Seqs: 4, Tokens: 32, Steps: 160, StepsPerSegment: 2, Seed: 1, Optimizer: decoder.AdamW,
		Beta1: fx.Bits(0.9), Beta2: fx.Bits(0.95), Eps: fx.Bits(1e-8), Clip: fx.Bits(1), Rate: fx.Bits(0.003), Warm: 10}
	job, err := c.Create(ctx, key, &tx.TrainDescriptor{TaskKind: uint8(task.Learn), Learn: &spec, Datasets: []tx.ID{tx.ID(data.ID)},
		Price: fixed.OPEN, CheckFee: fixed.OPEN, ClaimMS: 60_000, WorkMS: 600_000, CheckMS: 600_000, RevealMS: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	return tx.ID(job.ID)
}

// TestALearningTaskSurvivesTheDeathOfItsNode kills the worker's process as soon as it
// has saved something of a learning task, and starts it again: it goes on, checkers
// confirm what it commits, and a replay here gives the same roots.
func TestALearningTaskSurvivesTheDeathOfItsNode(t *testing.T) {
	n := network(t)
	at := n.Nodes[*validators] // the one that works
	key, err := n.ClientKey("dev")
	if err != nil {
		t.Fatal(err)
	}
	id := learnTask(t, n, key)
	file := filepath.Join(at.Home, "work", hex.EncodeToString(id[:]))
	until(t, "something is saved", func() bool { _, err := os.Stat(file); return err == nil })
	if err := n.Kill(at.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("the task was done before its node was killed: %v", err)
	}
	heal(t, n, at.Name)
	var got task.Task
	until(t, "the task ends", func() bool {
		o, err := n.Nodes[0].Client().TaskGet(t.Context(), api.IDParams{ID: api.Hash(id)})
		got = o.Value
		return err == nil && got.State.Final()
	})
	if got.State != task.Settled || *got.Operator != at.Account {
		t.Fatalf("the task is %v, by %v", got.State, got.Operator)
	}
	log, err := os.ReadFile(at.Log())
	if err != nil || !strings.Contains(string(log), "task goes on from what was saved") {
		t.Errorf("the worker began anew: %v", err)
	}
	v, _, err := worker.Verify(t.Context(), n.Nodes[1].Client(), id, worker.Options{})
	if err != nil || !v.Equal {
		t.Errorf("replayed from node 1: %+v, %v", v, err)
	}
	t.Logf("replayed in %.1f s", v.Seconds)
	until(t, "nothing is left of the work", func() bool { _, err := os.Stat(file); return err != nil })
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for !ok() {
		if !wait(ctx, 20*time.Millisecond) {
			t.Fatalf("in vain: %s", what)
		}
	}
}
