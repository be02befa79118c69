// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/openledger/openledger/node/cards"
)

func scrape(t *testing.T, read func() (Snapshot, error)) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	Handler("v1", read).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	b, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(b)
}

func TestOBS02AScrapeShowsNodeAndCards(t *testing.T) {
	s := Snapshot{Height: 12, Lag: 3, Epoch: 2, Peers: 5, Txs: 7, Cards: []cards.Status{
		{Index: 0, Name: "first", UUID: "GPU-secret", Memory: 1 << 30, Share: 50, State: cards.Busy, Task: "0xtask", Temperature: 61,
			Busy: 1500 * time.Millisecond, Tasks: 4, Losses: 1, Mismatches: 2},
		{Index: 2, State: cards.Off, Why: "gone"},
	}}
	code, text := scrape(t, func() (Snapshot, error) { return s, nil })
	if code != 200 {
		t.Fatalf("status %d: %s", code, text)
	}
	for _, line := range []string{
		`openledger_build_info{version="v1"} 1`,
		"openledger_consensus_height 12", "openledger_consensus_epoch 2", "openledger_consensus_lag_blocks 3", "openledger_p2p_peers 5", "openledger_mempool_txs 7",
		`openledger_gpu_mem_bytes{device="0"} 1.073741824e+09`, `openledger_gpu_share_ratio{device="0"} 0.5`, `openledger_gpu_busy_seconds_total{device="0"} 1.5`,
		`openledger_gpu_tasks_total{device="0"} 4`, `openledger_gpu_lost_total{device="0"} 1`, `openledger_gpu_mismatch_total{device="0"} 2`,
		`openledger_gpu_temp_celsius{device="0"} 61`,
		`openledger_gpu_state{device="0",state="busy"} 1`, `openledger_gpu_state{device="0",state="ready"} 0`, `openledger_gpu_state{device="2",state="off"} 1`,
		"# TYPE go_goroutines gauge", "# TYPE openledger_gpu_busy_seconds_total counter",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
	for _, word := range []string{"GPU-secret", "0xtask", "first", `gpu_temp_celsius{device="2"}`} {
		if strings.Contains(text, word) {
			t.Errorf("shows %q", word)
		}
	}
}

func TestOBS02AScrapeOfANodeThatCannotBeReadFails(t *testing.T) {
	if code, text := scrape(t, func() (Snapshot, error) { return Snapshot{}, errors.New("the store is closed") }); code != 500 || !strings.Contains(text, "the store is closed") {
		t.Fatalf("status %d: %s", code, text)
	}
}
