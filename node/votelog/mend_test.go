// SPDX-License-Identifier: Apache-2.0

package votelog_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/openledger/openledger/consensus"
	"github.com/openledger/openledger/consensus/cert"
	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/consensus/msg"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/internal/merkle"
	"github.com/openledger/openledger/node/disktest"
	"github.com/openledger/openledger/node/keystore"
	"github.com/openledger/openledger/node/votelog"
)

// TestCONS45WordsFromASecondCopy stand if they are about no block, or about one that
// the log still holds; of the others' views Nullify alone is signed, unless they
// were finalized.
func TestCONS45WordsFromASecondCopy(t *testing.T) {
	key := keys.FromSeed([32]byte{1})
	chain := [32]byte{2}
	var h header.Header
	h.Justification, h.PayloadRoot = merkle.Root([][]byte{{}}), header.PayloadRoot(nil)
	h.Version, h.ChainID, h.Epoch, h.View, h.ParentView, h.Height = header.Version, chain, 1, 7, 6, 1
	prop := msg.SignProposal(h, nil, [][]byte{{}}, key)
	hash := h.Hash()
	if _, err := msg.Decode(prop.Encode()); err != nil {
		t.Fatal(err)
	}
	vote := func(k cert.Kind) []byte { return msg.SignVote(chain, k, 1, 7, hash[:], 0, key).Encode() }
	block := consensus.Record{Kind: consensus.RecordBlock, Epoch: 1, View: 7, Data: prop.Encode()}
	for _, x := range []struct {
		name          string
		word          consensus.Record
		block         bool // it was durable before the word
		bound, permit uint64
	}{
		{"an own Nullify", consensus.Record{Kind: consensus.RecordNullify, Data: msg.SignVote(chain, cert.Nullify, 1, 7, nil, 0, key).Encode()}, false, 0, 0},
		{"a Notarize with its block", consensus.Record{Kind: consensus.RecordNotarize, Data: vote(cert.Notarize)}, true, 0, 0},
		{"a Finalize with its block", consensus.Record{Kind: consensus.RecordFinalize, Data: vote(cert.Finalize)}, true, 0, 0},
		{"a proposal with its block", consensus.Record{Kind: consensus.RecordPropose, Data: hash[:]}, true, 0, 0},
		{"a Notarize whose block is gone", consensus.Record{Kind: consensus.RecordNotarize, Data: vote(cert.Notarize)}, false, 7, 1},
		{"a proposal whose block is gone", consensus.Record{Kind: consensus.RecordPropose, Data: hash[:]}, false, 7, 1},
		{"a Finalize whose block is gone", consensus.Record{Kind: consensus.RecordFinalize, Data: vote(cert.Finalize)}, false, 7, 8},
	} {
		t.Run(x.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 1))
			disk, beneath := disktest.New(rng), disktest.New(rng)
			cfg := votelog.Config{Files: disk, Guard: beside{d: beneath}, ID: keystore.GuardID{ChainID: chain, Machine: "m"}}
			l, _, err := votelog.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			x.word.Epoch, x.word.View = 1, 7
			write := func(r consensus.Record) {
				if err := l.Append(uint8(r.Kind), r.Encode()); err != nil {
					t.Fatal(err)
				}
			}
			sync := func() {
				if err := l.Sync(); err != nil {
					t.Fatal(err)
				}
			}
			if x.block {
				write(block)
			}
			for range 300 { // so that the word and its block do not share a sector
				write(consensus.Record{Kind: consensus.RecordCert, Epoch: 1, View: 1, Data: make([]byte, 64)})
			}
			sync()
			write(x.word)
			sync()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			for name := range disk.Save() {
				disk.Change(name, func(b []byte) {
					at := bytes.Index(b, x.word.Encode())
					at -= at % 4096
					clear(b[at : at+4096])
				})
			}
			l, c, err := votelog.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			kept := slices.ContainsFunc(c.Records, func(r consensus.Record) bool { return r.Kind == x.word.Kind && r.View == 7 })
			if got := l.Bound(1); got != x.bound || kept != (x.bound == 0) {
				t.Errorf("nothing up to view %d is signed, want %d; kept %v", got, x.bound, kept)
			}
			if got := l.Nullify(1); got != x.permit {
				t.Errorf("Nullify from view %d on, want %d", got, x.permit)
			}
		})
	}
}

// TestCONS45TheWordPermitsNoNullifyOfWhatTheKeyFinalized: neither the operator nor
// the loss of the log makes the guard forget a Finalize whose block is gone.
func TestCONS45TheWordPermitsNoNullifyOfWhatTheKeyFinalized(t *testing.T) {
	id := keystore.GuardID{ChainID: [32]byte{2}, Machine: "m"}
	file := beside{d: disktest.New(rand.New(rand.NewPCG(1, 1)))}
	g, err := keystore.NewGuard(file, id, keystore.Lease{Epoch: 1, Start: 1, End: 256})
	if err != nil {
		t.Fatal(err)
	}
	want := func(what string, from uint64) {
		t.Helper()
		if g, err = keystore.OpenGuard(file, id); err != nil {
			t.Fatal(err)
		}
		if got := g.Nullify(1); got != from {
			t.Errorf("%s: Nullify from view %d on, want %d", what, got, from)
		}
	}
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	step(g.Forbid(9, 7))
	want("Finalize of view 7 was dropped", 8)
	step(g.Permit(3))
	want("the operator's word from view 3 on", 8)
	step(g.Forbid(12, 0))
	want("a Notarize of view 12 was dropped", 8)
	_, err = keystore.RestartGuard(file, id, 1, 20)
	step(err)
	want("the log is lost", 0)
	step(g.Permit(5))
	want("the word after that", 8)
	step(g.Permit(11))
	want("a later word takes nothing back", 8)
	step(g.Cover(2, 1))
	step(g.Forbid(4, 0))
	if got := g.Nullify(2); got != 1 {
		t.Errorf("in the next epoch Nullify from view %d on, want 1", got)
	}
}
