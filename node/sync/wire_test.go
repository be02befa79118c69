// SPDX-License-Identifier: Apache-2.0

package sync

import (
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/ledger"
)

// TestCONS47LeavesThatDidNotFitAreNotAskedForLater: a node that was served a block
// without its leaves keeps a smaller certificate with it and serves it on. Nobody may
// take it for a liar, at any size of the body.
func TestCONS47LeavesThatDidNotFitAreNotAskedForLater(t *testing.T) {
	const n, gap = 256, 20
	list := &cert.Certificate{Kind: cert.Finalization, Epoch: 1 << 40, View: 1 << 40, Block: make([]byte, 32), Signers: make([]byte, n/8), Sigs: make([]byte, 64*n)}
	sum := &cert.Certificate{Kind: cert.Aggregate, Epoch: 1 << 40, View: 1 << 40, Block: make([]byte, 32), Signers: make([]byte, n/8), Sigs: make([]byte, 48)}
	leaves := make([][]byte, gap)
	for i := range leaves {
		leaves[i] = list.Encode()
	}
	b := Block{Header: header.Header{Version: 1, Epoch: 1 << 40, View: 1<<40 + gap, ParentView: 1 << 40, Justification: merkle.Root(leaves)}, Carriers: []header.Header{}}
	dropped, asked := 0, 0
	for body := 620 << 10; body < 800<<10; body += 1 << 10 {
		b.Leaves, b.Final, b.Batches = leaves, list, []ledger.Batch{{Txs: [][]byte{make([]byte, body)}}}
		whole := len(enc.Encode(b)) <= MaxFrame
		b.Leaves = nil
		full := len(enc.Encode(b))
		b.Final = sum
		err := b.justified(len(enc.Encode(b)), n)
		switch {
		case whole && err != nil:
			asked++
		case !whole && err != nil:
			t.Fatalf("body of %d bytes, frame of %d: %v", body, full, err)
		case !whole:
			dropped++
		}
	}
	if dropped == 0 || asked == 0 {
		t.Errorf("%d blocks without leaves are taken, %d refused: nothing was tested", dropped, asked)
	}
}
