// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/node/store"
)

// BenchmarkCommit executes and commits blocks of transfers between 1,000 accounts
// on disk, without checking signatures and without syncing. It reports processor
// time, that of the database's own goroutines included and that of making the
// blocks not, and the memory that is resident at the end.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{12, 100, 400} {
		b.Run(fmt.Sprint("block of ", n), func(b *testing.B) { benchCommit(b, n) })
	}
}

func benchCommit(b *testing.B, block int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := store.Open(b.TempDir(), store.Options{CacheMiB: 16})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const people = 1_000
	w := chaintest.New(b, 4, people)
	c := w.Open(s)
	parent := w.Head(c)
	txs := make([]tx.Verified, b.N*block)
	for i := range txs {
		txs[i] = w.Sign(i%people, tx.Body{Nonce: uint64(i / people), ValidUntil: uint64(i/block) + 10,
			Payload: &tx.Transfer{To: w.Address((i*7 + 3) % people), Amount: 1}})
	}
	var fin *cert.Certificate
	var making time.Duration
	runtime.GC()
	held, start := resident(), processorTime(b, syscall.RUSAGE_SELF)
	b.ResetTimer()
	for i := range b.N {
		before := processorTime(b, rusageThread)
		blk := w.ChildOf(parent, parent.Header.View+1, nil, txs[i*block:(i+1)*block]...)
		if fin == nil {
			fin = w.Finalize(blk)
		}
		making += processorTime(b, rusageThread) - before
		out, err := c.Execute(blk)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Decide(blk.Hash, blk.Header().Height, fin, nil); err != nil {
			b.Fatal(err)
		}
		parent = chaintest.Parent{Header: *blk.Header(), Roots: out}
	}
	used := processorTime(b, syscall.RUSAGE_SELF) - start - making
	b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(len(txs)), "cpu-µs/tx")
	b.ReportMetric(resident()-held, "MiB")
}

const rusageThread = 1 // RUSAGE_THREAD

// processorTime is what the process or this thread has used, of user and system.
func processorTime(b *testing.B, who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the memory of this process that is not paged out, 0 where the system does not say.
func resident() float64 {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages float64
	fmt.Sscan(string(raw), &size, &pages)
	return pages * float64(os.Getpagesize()) / (1 << 20)
}
