// SPDX-License-Identifier: Apache-2.0

package header

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

const beaconFile = "../../docs/spec/vectors/beacon.json"

// beaconVectors is beacon.json. All bytes are hex. The checks in another language
// run with those of consensus/msg.
type beaconVectors struct {
	About string    `json:"about"`
	Draws []drawVec `json:"draws"`
	Rules []ruleVec `json:"rules"`
}

type drawVec struct {
	Name   string `json:"name"`
	Key    string `json:"key"` // VRF key of the leader
	Parent string `json:"parent"`
	Bytes  string `json:"bytes"`
	Alpha  string `json:"alpha"`
	Error  string `json:"error,omitempty"` // field
}

type ruleVec struct {
	Name   string   `json:"name"`
	Rules  rulesVec `json:"rules"`
	Parent string   `json:"parent"`
	Bytes  string   `json:"bytes"`
	Error  string   `json:"error,omitempty"` // field
}

type rulesVec struct {
	Epoch      uint64 `json:"epoch"`
	StartMS    uint64 `json:"start_ms"`
	EpochMS    uint64 `json:"epoch_ms"`
	CertifyMS  uint64 `json:"certify_ms"`
	Aggregates bool   `json:"aggregates"`
	Draws      bool   `json:"draws"`
}

func makeBeaconVectors() beaconVectors {
	v := beaconVectors{About: "The beacon (CONS-35), and which blocks are seals and carriers (CONS-40), certified (CONS-32) and must or may not draw."}
	fault := func(ok bool) string {
		if ok {
			return ""
		}
		return "field"
	}
	parent, leader, cases := drawCases()
	for _, c := range cases {
		_, h := sample()
		c.change(&h)
		v.Draws = append(v.Draws, drawVec{
			Name: c.name, Key: hexOf(leader[:]), Parent: hexOf(parent.Encode()), Bytes: hexOf(h.Encode()),
			Alpha: hexOf(Alpha(h.ChainID, h.Epoch, h.View, parent.Beacon)), Error: fault(c.ok),
		})
	}
	add := func(name string, r Rules, p, h Header) {
		v.Rules = append(v.Rules, ruleVec{
			Name: name, Rules: rulesVec(r), Parent: hexOf(p.Encode()), Bytes: hexOf(h.Encode()), Error: fault(r.Check(&p, &h) == nil),
		})
	}
	for _, c := range ruleCases() {
		p, h := sample()
		c.change(&h)
		add(c.name, rules(), p, h)
		r := rules()
		r.Aggregates, r.Draws = false, false
		add(c.name+", in a set without keys", r, p, h)
	}
	seal, carrier := onSeal(KindCarrier)
	add("a carrier", rules(), seal, carrier)
	carrier.Certify = 0
	add("a carrier that is not certified", rules(), seal, carrier)
	seal, first := onSeal(KindNormal)
	next := rules()
	next.Epoch, next.StartMS = 1, seal.TimeMS
	add("the first block of the next epoch", next, seal, first)
	first.TimeMS += hour
	add("the first block of the next epoch, an epoch late", next, seal, first)
	return v
}

func TestBeaconVectorsAreCurrent(t *testing.T) {
	want, err := json.MarshalIndent(makeBeaconVectors(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(beaconFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(beaconFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("beacon.json differs from what this code makes; if the change is meant, run with -args -update")
	}
}
