// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openledger/openledger/ledger/tx"
)

// fake executes everything it got every block interval, in memory.
type fake struct {
	mu      sync.Mutex
	waiting []ID
	blocks  [][]ID
	refuse  int // every so many transfers; 0: none
	got     int
	nodes   map[int]int
}

func (f *fake) run(ctx context.Context, every time.Duration) {
	for until(ctx, time.Now().Add(every)) {
		f.mu.Lock()
		f.blocks, f.waiting = append(f.blocks, f.waiting), nil
		f.mu.Unlock()
	}
}

func (f *fake) Submit(_ context.Context, node int, list []Transfer) (map[string]int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	refused := map[string]int{}
	for _, t := range list {
		f.nodes[node]++
		if f.got++; f.refuse > 0 && f.got%f.refuse == 0 {
			refused["full"]++
			continue
		}
		f.waiting = append(f.waiting, f.Key(t))
	}
	return refused, nil
}

func (f *fake) Height(context.Context) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return uint64(len(f.blocks)), nil
}

func (f *fake) Block(_ context.Context, h uint64) ([]ID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.blocks[h-1], nil
}

func (f *fake) Key(t Transfer) ID { return ID(t.ID) }

func TestAnOpenLoopCountsFromTheDueInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fake{nodes: map[int]int{}}
		go f.run(ctx, 100*time.Millisecond)
		samples := 0
		r, err := Load{Chain: f, Purse: NewPurse(200), Nodes: []int{0, 2}, Rate: 200, Batch: 10, For: 2 * time.Second, Sample: func() { samples++ }}.Run(ctx)
		cancel()
		synctest.Wait()
		if err != nil {
			t.Fatal(err)
		}
		// 20 batches a second, blocks every 100 ms: a batch waits 50 or 100 ms, and a
		// poll of 4 ms.
		if r.Sent != 1_200 || r.Refused != 0 || r.Missing != 0 || r.Executed < 380 || r.Executed > 420 || samples != 2 {
			t.Errorf("%+v, %d samples", r, samples)
		}
		if r.P50 < 50 || r.Max > 105 || r.Blocks < 19 || r.Blocks > 21 {
			t.Errorf("%v", r)
		}
		if f.nodes[0] == 0 || f.nodes[2] == 0 || len(f.nodes) != 2 {
			t.Errorf("nodes %v", f.nodes)
		}
	})
}

func TestRefusalsEndALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fake{nodes: map[int]int{}, refuse: 2}
		go f.run(ctx, 20*time.Millisecond)
		start := time.Now()
		r, err := Load{Chain: f, Purse: NewPurse(200), Nodes: []int{0}, Rate: 1_000, Batch: 20, For: 20 * time.Second}.Run(ctx)
		cancel()
		synctest.Wait()
		if err != nil || r.Aborted != "refusals" || r.Passes() || r.Reasons["full"] == 0 || time.Since(start) > Warm {
			t.Errorf("%+v, %v after %v", r, err, time.Since(start))
		}
	})
}

func TestANetworkThatStandsStillEndsALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{nodes: map[int]int{}}
		r, err := Load{Chain: f, Purse: NewPurse(200), Nodes: []int{0}, Rate: 200, Batch: 1, For: 20 * time.Second}.Run(t.Context())
		if err != nil || r.Aborted == "" || r.Passes() {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestTransfersHaveTheirSizeAndTheLedgerTakesThem(t *testing.T) {
	p := NewPurse(20)
	chain := [32]byte{7}
	list, err := p.Sign(chain, 1_000_000, 60)
	if err != nil {
		t.Fatal(err)
	}
	for i, tr := range list {
		s, err := tx.Decode(tr.Raw)
		if err != nil {
			t.Fatal(err)
		}
		v, err := tx.Verify(chain, s)
		if err != nil || len(tr.Raw) != TxBytes || v.ID() != tr.ID || v.Body().Nonce != uint64(i/20) || v.Body().Sender != p.addrs[i%20] {
			t.Fatalf("transfer %d: %d bytes, %+v, %v", i, len(tr.Raw), v.Body(), err)
		}
	}
	if p.Nonce(3) != 3 || p.Fresh().Nonce(3) != 0 {
		t.Error("nonces are miscounted")
	}
}

func TestAnswersOfABatch(t *testing.T) {
	ok := `{"jsonrpc":"2.0","id":0,"result":{"code":0}}`
	for name, c := range map[string]struct {
		out     string
		n       int
		refused int
		bad     bool
	}{
		"one bare object":       {ok, 1, 0, false},
		"two of ours":           {`[{"result":{"txid":"x","status":"pending"}},{"error":{"code":-1,"message":"full","data":{"a":1}}}]`, 2, 1, false},
		"a code of the peer":    {"[" + ok + `,{"result":{"code":1,"log":"bad"}}]`, 2, 1, false},
		"nothing":               {`[{}]`, 1, 1, false},
		"an answer too few":     {"[" + ok + "]", 2, 0, true},
		"no JSON":               {"Bad Gateway", 1, 0, true},
		"an error for the body": {`{"error":{"message":"too large"}}`, 3, 0, true},
	} {
		got, err := refusals([]byte(c.out), c.n)
		sum := 0
		for _, n := range got {
			sum += n
		}
		if (err != nil) != c.bad || sum != c.refused {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func Example() {
	l := Load{Rate: 500, Batch: 10}
	fmt.Println(l.due(9), l.due(10), l.due(5_000))
	// Output: 0s 20ms 10s
}
