// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/detrand"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger"
	"github.com/openledger/openledger/ledger/tx"
)

var update = flag.Bool("update", false, "write the golden file instead of comparing")

// nodes is a store of tree nodes in memory.
type nodes map[string][]byte

func (n nodes) Node(key []byte) ([]byte, error) {
	b, ok := n[string(key)]
	if !ok {
		return nil, errors.New("no such node")
	}
	return b, nil
}

// TestTST07TwoHundredBlocksGiveTheSameRoots runs 200 blocks of a written random
// stream on a written genesis and compares every state root and receipts root
// with the committed ones: any change of an effect, an encoding or an order shows.
func TestTST07TwoHundredBlocksGiveTheSameRoots(t *testing.T) {
	w := newWorld(t)
	stream := detrand.NewSplitMix(16)
	g := newGen(w, func(n int) int { return int(stream.Below(uint64(n))) })
	var all []merkle.KV
	for _, k := range w.view.keys {
		all = append(all, merkle.KV{Key: []byte(k), Value: w.view.vals[k]})
	}
	db := nodes{}
	root, ns, _, err := merkle.Update(db, merkle.StateRoot{}, w.height(), all)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	good := map[tx.Kind]int{}
	for range 200 {
		for _, kv := range ns {
			db[string(kv.Key)] = kv.Value
		}
		res := g.step(t, 20)
		if root, ns, _, err = merkle.Update(db, root, w.height(), res.Writes); err != nil {
			t.Fatal(err)
		}
		receipts := ledger.ReceiptsRoot(res.Receipts)
		fmt.Fprintf(&out, "%d %x %x\n", w.height(), root.Hash, receipts)
		for _, r := range res.Receipts {
			for _, e := range r.Events {
				if e.Sub == ledger.SubDone {
					good[e.Kind]++
				}
			}
		}
	}
	for _, k := range tx.Kinds {
		switch k.Kind {
		case tx.KindClaimEpoch, tx.KindSlashEvidence, tx.KindUnjail: // need a real book or a real offence; see the stories
			continue
		}
		if good[k.Kind] == 0 {
			t.Errorf("no successful %s in 200 blocks", k.Name)
		}
	}
	const path = "testdata/golden-roots.txt"
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		got, old := strings.Split(out.String(), "\n"), strings.Split(string(want), "\n")
		for i := range got {
			if i >= len(old) || got[i] != old[i] {
				t.Fatalf("first difference at block %d:\n got %s\nif the change is meant, run: go test ./ledger/exec -run TST07 -update", i+1, got[i])
			}
		}
	}
}
