// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/merkle"
)

// TestCONS54AVoteForABlockWithABadLeafIsFound: the block is refused, because its
// Nullification has less than a quorum; who votes for it is named, whether the
// vote comes before the block or after it.
func TestCONS54AVoteForABlockWithABadLeafIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, 4, 1)
		x := n.nodes[0]
		found := make(chan []evidence.Evidence, 16)
		x.accuse = func(list []evidence.Evidence) { found <- list }
		x.start()
		t.Cleanup(x.stop)
		d := x.up()
		leader, genesis := 0, header.Header{}
		d.Query(context.Background(), func(c *consensus.Core) {
			_, root := c.Root()
			leader, genesis = c.Leader(2), *root
		})
		others := slices.DeleteFunc([]int{1, 2, 3}, func(i int) bool { return i == leader })
		id, votes := n.w.ID, n.w.Votes
		var few msg.Tally
		null := msg.SignVote(id, cert.Nullify, 0, 1, nil, others[0], votes[others[0]])
		few.Add(null, 4, 1)
		leaves := [][]byte{{}, few.Certificate(null).Encode()}
		h := header.Header{Version: header.Version, ChainID: id, View: 2, Height: 1, TimeMS: genesis.TimeMS + 1, Parent: genesis.Hash(),
			Justification: merkle.Root(leaves), Leader: uint64(leader), PayloadRoot: header.PayloadRoot(nil), SetHash: n.w.Set.Hash(),
			Beacon: genesis.Beacon, CertifiedMS: genesis.CertifiedMS, NextSet: []byte{}, VRF: []byte{}}
		hash := h.Hash()
		tell := func(raw []byte) {
			if err := d.Deliver(raw); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		vote := func(i int) []byte { return msg.SignVote(id, cert.Notarize, 0, 2, hash[:], i, votes[i]).Encode() }
		tell(vote(others[0]))
		tell(msg.SignProposal(h, nil, leaves, votes[leader]).Encode())
		tell(vote(others[1]))
		for _, i := range others[:2] {
			select {
			case list := <-found:
				if len(list) != 1 || list[0].Kind() != evidence.UnjustifiedVote || !slices.Equal(list[0].Signers(), []int{i}) {
					t.Errorf("found %v of %v, want validator %d", list[0].Kind(), list[0].Signers(), i)
				}
			default:
				t.Errorf("the vote of validator %d is not found", i)
			}
		}
	})
}
