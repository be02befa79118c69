// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/evidence"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/ledger/state"
)

// setAt is the set of an epoch as the state has it, or the current one under
// another epoch's number, to make evidence that nobody takes.
func setAt(c *chain, epoch uint64) *valset.Set {
	c.t.Helper()
	list, err := state.GetValidators(c.view)
	if past, err2 := state.GetPastSet(c.view, epoch); err2 == nil {
		list = past.Validators
	}
	if err != nil {
		c.t.Fatal(err)
	}
	set, err := makeSet(epoch, list)
	if err != nil {
		c.t.Fatal(err)
	}
	return set
}

// offence makes evidence against validators whose vote keys are key(n): that each
// finalized two blocks of a view or, for class jail, that the first put an invalid
// transaction into batch number view.
func offence(c *chain, epoch, view uint64, jail bool, guilty ...int) []byte {
	c.t.Helper()
	set := setAt(c, epoch)
	index := func(n int) int {
		i := set.Index(key(n).Public())
		if i < 0 {
			c.t.Fatalf("key %d is not in the set of epoch %d", n, epoch)
		}
		return i
	}
	if jail {
		b := msg.NewBatch(c.env.ChainID, epoch, index(guilty[0]), view, [][]byte{{0x80}}, key(guilty[0]))
		return evidence.OfBatch(b, 0)[0].Encode()
	}
	var certs [2]*msg.Message
	for k, block := range [][]byte{make([]byte, 32), append(make([]byte, 31), 1)} {
		var t msg.Tally
		var last *msg.Vote
		for _, n := range guilty {
			last = msg.SignVote(c.env.ChainID, cert.Finalize, epoch, view, block, index(n), key(n))
			t.Add(last, set.Len(), set.Power(index(n)))
		}
		if certs[k] = (&msg.Message{Vote: last}); len(guilty) > 1 {
			certs[k] = &msg.Message{Cert: t.Certificate(last)}
		}
	}
	list := evidence.Pair(set, certs[0], certs[1])
	if len(list) != 1 {
		c.t.Fatalf("%d pieces of evidence", len(list))
	}
	return list[0].Encode()
}
