// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Area is a part of a node's work and what it cost.
type Area struct {
	Name string
	Cost time.Duration
}

// areas says which part of the node a stack belongs to: the first entry of which
// one text stands in any of its frames. What is deep comes before what calls it.
var areas = []struct {
	name  string
	texts []string
}{
	{"garbage collection", []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge"}},
	{"votes: signatures", []string{"consensus/msg.Verify", "consensus/cert.", "internal/keys.PrivateKey.Sign"}},
	{"admission: signature, decoding", []string{"ledger/tx.Verify", "ledger/tx.Decode", "ledger/tx.(*Verified)"}},
	{"admission: state, mempool", []string{"node/mempool.", "node.(*Node).admit"}},
	{"block: execution", []string{"node/chain.(*Chain).Execute", "ledger/exec.Apply"}},
	{"block: commit, database", []string{"node/chain.(*Chain).Decide", "node/store.(*Store).Commit", "node/store.(*Store).Sync", "dgraph-io/badger/v4.(*DB).doWrites", "dgraph-io/badger/v4.(*levelsController)", "badger/v4.(*DB).flushMemtable", "badger/v4.(*DB).handleMemTableFlush"}},
	{"block: batches, bodies", []string{"node/driver.(*batch", "ledger.VerifyTxs", "ledger.Verify"}},
	{"events, index, waiters", []string{"node/events.", "node.(*waiters)", "node.(*Node).committed", "node.(*Node).eachBlock"}},
	{"write-ahead log", []string{"node/store.(*WAL)"}},
	{"consensus core, driver", []string{"openledger/consensus.", "node/driver."}},
	{"submit: HTTP, JSON", []string{"net/http.", "openledger/rpc."}},
	{"gossip", []string{"go-libp2p-pubsub", "p2p/gossip"}},
	{"transport", []string{"go-yamux", "crypto/tls", "go-libp2p/p2p", "flynn/noise", "p2p/mesh", "p2p/stream", "openledger/p2p", "quic-go"}},
	{"scheduler, timers", []string{"runtime.mcall", "runtime.mstart", "runtime.park_m", "runtime.goexit0", "runtime.sysmon", "runtime.schedule"}},
}

// Areas adds up a profile as `go tool pprof -traces` prints it, largest first.
// What fits nowhere is "other". Errors: ErrProc.
func Areas(traces string) ([]Area, error) {
	sums := map[string]time.Duration{}
	stacks := strings.Split(traces, "-----------+")
	for _, s := range stacks[1:] {
		_, s, _ = strings.Cut(s, "\n")
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		value, frames, _ := strings.Cut(s, " ")
		d, err := time.ParseDuration(value)
		if err != nil {
			return nil, fmt.Errorf("%w: no profile: %.60q", ErrProc, s)
		}
		sums[areaOf(frames)] += d
	}
	if len(sums) == 0 {
		return nil, fmt.Errorf("%w: no stacks in the profile", ErrProc)
	}
	var out []Area
	for name, cost := range sums {
		out = append(out, Area{name, cost})
	}
	slices.SortFunc(out, func(a, b Area) int { return cmp.Or(cmp.Compare(b.Cost, a.Cost), strings.Compare(a.Name, b.Name)) })
	return out, nil
}

func areaOf(frames string) string {
	for _, a := range areas {
		for _, text := range a.texts {
			if strings.Contains(frames, text) {
				return a.name
			}
		}
	}
	return "other"
}
