// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"testing"
	"time"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/node/chaintest"
	"github.com/openledger/openledger/p2p/mesh"
)

// TestCONS51AValidatorThatSignsTwiceIsPunished: three validators run; the key of
// the fourth signs two votes in one view. The nodes find it, put it on the ledger,
// and its stake is cut.
func TestCONS51AValidatorThatSignsTwiceIsPunished(t *testing.T) {
	const liar = 3
	w := chaintest.NewAt(t, 4, 1, uint64(time.Now().UnixMilli()))
	var boot []string
	var nodes []*live
	for i := range liar {
		l := run(t, Config{Home: t.TempDir(), Settings: settings(boot), Genesis: w.Doc, Validator: w.Votes[i], Operator: w.Operator(i)})
		nodes, boot = append(nodes, l), append(boot, l.host.Addrs()[0])
	}
	fourth := record(t, w, liar, 0, boot)
	first := nodes[0]
	who := w.Set.Entry(liar).Address
	bonded := func() state.Candidate {
		v, err := first.view()
		if err != nil {
			t.Fatal(err)
		}
		c, err := state.GetCandidate(v, who)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := bonded()
	for limit := within(t); ; {
		view := uint64(0)
		epoch := first.chain.Set().Epoch()
		if h, _, err := first.chain.Header(first.chain.Head().Height); err == nil && h.Epoch == epoch {
			view = h.View
		}
		for _, block := range []byte{1, 2} { // two votes of one view, a little ahead
			v := msg.SignVote(w.ID, cert.Notarize, epoch, view+3, bytes.Repeat([]byte{block}, 32), liar, w.Votes[liar])
			if err := fourth.Mesh().Broadcast(mesh.Frame{Data: v.Encode()}); err != nil {
				t.Fatal(err)
			}
		}
		if c := bonded(); c.Tokens < before.Tokens {
			if !c.Removed {
				t.Error("it may be elected again")
			}
			break
		}
		if !pause(limit, 100*time.Millisecond) {
			t.Fatalf("nobody punished it; %d pieces wait", first.court.Waiting())
		}
	}
	if got := first.court.Waiting(); got > 8 {
		t.Errorf("%d pieces of evidence wait", got)
	}
}
