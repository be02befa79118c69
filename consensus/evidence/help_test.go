// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/consensus/valset"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
)

var (
	chainID = [32]byte{0xc0}
	seed    = [32]byte{0x5e}
)

const epoch = 0

// net is a set with its keys in set order. Seed i is 32 bytes that count from i+1.
type net struct {
	t    testing.TB
	set  *valset.Set
	keys []keys.PrivateKey
}

func network(t testing.TB, powers ...uint64) *net {
	t.Helper()
	var entries []valset.Entry
	byKey := map[keys.PublicKey]keys.PrivateKey{}
	for i, p := range powers {
		k := keys.FromSeed([32]byte(append(bytes.Repeat([]byte{byte(i + 1)}, 31), byte(i>>8))))
		byKey[k.Public()] = k
		entries = append(entries, valset.Entry{Address: keys.Address{byte(i), byte(i >> 8)}, Key: k.Public(), Power: p})
	}
	set, err := valset.New(epoch, entries)
	if err != nil {
		t.Fatal(err)
	}
	n := &net{t: t, set: set}
	for i := range set.Len() {
		n.keys = append(n.keys, byKey[set.Key(i)])
	}
	return n
}

func four(t testing.TB) *net { return network(t, 4, 3, 2, 1) } // W 10, q 7, f 3

func equal(n int) []uint64 { return slicesRepeat(uint64(1), n) }

func slicesRepeat[T any](x T, n int) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = x
	}
	return out
}

func blockOf(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

// vote signs a vote; block is a name, empty for Nullify.
func (n *net) vote(kind cert.Kind, view uint64, block string, i int) *msg.Message {
	var b []byte
	if kind != cert.Nullify {
		b = blockOf(block)
	}
	return &msg.Message{Vote: msg.SignVote(chainID, kind, epoch, view, b, i, n.keys[i])}
}

// cert signs a certificate by the given validators, of a quorum or not.
func (n *net) cert(kind cert.Kind, view uint64, block []byte, signers ...int) *cert.Certificate {
	c := &cert.Certificate{Kind: kind, Epoch: epoch, View: view, Block: block, Signers: make([]byte, (n.set.Len()+7)/8)}
	for _, i := range signers {
		c.Signers[i/8] |= 1 << (i % 8)
		s := n.keys[i].Sign(cert.SignBytes(chainID, kind.Vote(), epoch, view, block))
		c.Sigs = append(c.Sigs, s[:]...)
	}
	return c
}

func (n *net) all() []int {
	var out []int
	for i := range n.set.Len() {
		out = append(out, i)
	}
	return out
}

func (n *net) verified(m *msg.Message) msg.Verified {
	n.t.Helper()
	v, err := msg.Verify(n.set, chainID, m)
	if err != nil {
		n.t.Fatal(err)
	}
	return v
}

func (n *net) court() Court {
	return Court{ChainID: chainID, Set: n.set, Seed: &seed, BadTx: func(tx []byte) bool { return string(tx) == "bad" }}
}

// genesis is the header of the first root.
func (n *net) genesis() header.Header {
	return header.Genesis(chainID, n.set.Hash(), epoch, 1_000)
}

// child makes a lawful header on p by the scheduled leader of the view.
func (n *net) child(p *header.Header, view uint64, leaves ...[]byte) header.Header {
	return header.Header{
		Version: header.Version, ChainID: chainID, Epoch: epoch, View: view, Height: p.Height + 1, TimeMS: p.TimeMS + 10,
		Parent: p.Hash(), ParentView: p.View, Justification: merkle.Root(leaves),
		Leader: uint64(valset.NewSchedule(n.set, seed).Leader(view)), PayloadRoot: header.PayloadRoot(nil),
		SetHash: n.set.Hash(), Beacon: p.Beacon, CertifiedMS: p.CertifiedMS,
	}
}

func (n *net) notarization(h *header.Header, signers ...int) *cert.Certificate {
	hash := h.Hash()
	return n.cert(cert.Notarization, h.View, hash[:], signers...)
}

func (n *net) finalization(h *header.Header, signers ...int) *cert.Certificate {
	hash := h.Hash()
	return n.cert(cert.Finalization, h.View, hash[:], signers...)
}

func (n *net) nullification(view uint64, signers ...int) *cert.Certificate {
	return n.cert(cert.Nullification, view, nil, signers...)
}

// convict checks every piece after a round trip and returns the kinds by index.
func (n *net) convict(list []Evidence) map[int]Kind {
	n.t.Helper()
	out := map[int]Kind{}
	for i := range list {
		raw := list[i].Encode()
		if len(raw) > MaxBytes {
			n.t.Fatalf("evidence of %d bytes", len(raw))
		}
		e, err := Decode(raw)
		if err != nil {
			n.t.Fatal(err)
		}
		offences, err := n.court().Check(e)
		if err != nil {
			n.t.Fatalf("%v: %v", e.Kind(), err)
		}
		for _, o := range offences {
			if _, twice := out[o.Index]; twice {
				n.t.Errorf("validator %d is named twice", o.Index)
			}
			out[o.Index] = o.Kind
		}
	}
	return out
}
