// SPDX-License-Identifier: Apache-2.0

package header

import (
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/openledger/openledger/internal/vrf"
)

const hour = 3_600_000

// rules of an epoch of one hour that sample's chain starts.
func rules() Rules {
	p, _ := sample()
	return Rules{StartMS: p.TimeMS, EpochMS: hour, CertifyMS: 1_000, Aggregates: true, Draws: true}
}

func TestAnEpochEndsByTimeOrByView(t *testing.T) {
	r := rules()
	p, _ := sample()
	seal, _ := onSeal(KindCarrier)
	carrier := seal
	carrier.Kind = KindCarrier
	for _, c := range []struct {
		name       string
		parent     Header
		view, time uint64
		want       uint64
	}{
		{"a block in time", p, 1, r.StartMS + hour - 1, KindNormal},
		{"the first block after the epoch", p, 1, r.StartMS + hour, KindSeal},
		{"the last view", p, SealView - 1, r.StartMS + 1, KindNormal},
		{"a view too many", p, SealView, r.StartMS + 1, KindSeal},
		{"a block on a seal", seal, 5, r.StartMS + 1, KindCarrier},
		{"a block on a carrier", carrier, 6, r.StartMS + hour, KindCarrier},
	} {
		if got := r.Kind(&c.parent, c.view, c.time); got != c.want {
			t.Errorf("%s: kind %d, want %d", c.name, got, c.want)
		}
	}
	next := r
	next.Epoch, next.StartMS = 1, seal.TimeMS
	if k := next.Kind(&seal, 1, seal.TimeMS+1); k != KindNormal {
		t.Errorf("the first block of the next epoch has kind %d", k)
	}
	r.EpochMS = 0
	if k := r.Kind(&p, SealView, r.StartMS+hour); k != KindNormal {
		t.Errorf("an epoch without end is sealed: kind %d", k)
	}
}

func TestWhichBlocksAreCertified(t *testing.T) {
	r := rules()
	for _, c := range []struct {
		name   string
		want   uint64
		change func(p, h *Header)
	}{
		{"soon after the last one", 0, func(_, h *Header) { h.TimeMS += 979 }},
		{"a second after the last one", 1, func(_, h *Header) { h.TimeMS += 980 }},
		{"a seal", 1, func(_, h *Header) { sealed(h) }},
		{"a carrier", 1, func(_, h *Header) { h.Kind = KindCarrier }},
		{"a tail block", 1, func(p, h *Header) { p.Txs, h.Txs = 1, 0 }},
		{"an empty block on an empty one", 0, func(_, h *Header) { h.Txs = 0 }},
	} {
		p, h := sample()
		c.change(&p, &h)
		if got := r.Certify(&p, &h); got != c.want {
			t.Errorf("%s: certify %d", c.name, got)
		}
		r.Aggregates = false
		if r.Certify(&p, &h) != 0 {
			t.Errorf("%s is certified without BLS keys", c.name)
		}
		r.Aggregates = true
	}
}

func TestWhichBlocksDraw(t *testing.T) {
	r := rules()
	for _, c := range []struct {
		name         string
		idle, waited bool
		change       func(*Header)
	}{
		{"any block", false, true, func(*Header) {}},
		{"height 64", true, true, func(h *Header) { h.Height = 64 }},
		{"height 65", false, true, func(h *Header) { h.Height = 65 }},
		{"a seal", true, true, func(h *Header) { sealed(h) }},
		{"a carrier", false, false, func(h *Header) { h.Kind, h.Height = KindCarrier, 64 }},
	} {
		_, h := sample()
		c.change(&h)
		if r.Draw(&h, false) != c.idle || r.Draw(&h, true) != c.waited {
			t.Errorf("%s: %v, %v with an object waiting", c.name, r.Draw(&h, false), r.Draw(&h, true))
		}
		if none := (Rules{}); none.Draw(&h, true) {
			t.Errorf("%s draws without VRF keys", c.name)
		}
	}
}

// ruleCases change sample's child, which rules judge.
func ruleCases() []fieldCase {
	return []fieldCase{
		{"a lawful block", true, func(*Header) {}},
		{"a seal too early", false, func(h *Header) { sealed(h) }},
		{"a seal in time", true, func(h *Header) { sealed(h); h.TimeMS += hour; h.Certify, h.VRF = 1, make([]byte, 96) }},
		{"no seal in time", false, func(h *Header) { h.TimeMS += hour; h.Certify = 1 }},
		{"a seal without a VRF", false, func(h *Header) { sealed(h); h.TimeMS += hour; h.Certify = 1 }},
		{"a seal that is not certified", false, func(h *Header) { sealed(h); h.TimeMS += hour; h.VRF = make([]byte, 96) }},
		{"certified too early", false, func(h *Header) { h.Certify = 1 }},
		{"a VRF that may be due", true, func(h *Header) { h.VRF = make([]byte, 96) }},
		{"no VRF at height 64", false, func(h *Header) { h.Height = 64 }},
		{"a view too many for a normal block", false, func(h *Header) { h.View = SealView }},
	}
}

func TestRulesRefuse(t *testing.T) {
	for _, c := range ruleCases() {
		r := rules()
		p, h := sample()
		c.change(&h)
		if err := r.Check(&p, &h); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrField) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// drawCases are blocks on sample's parent with a VRF of the leader.
func drawCases() (parent Header, leader vrf.PublicKey, cases []fieldCase) {
	parent, h := sample()
	key := vrf.NewKey(sha256.Sum256([]byte("leader")))
	proof, beta := key.Prove(Alpha(h.ChainID, h.Epoch, h.View, parent.Beacon))
	set := func(h *Header) { h.VRF, h.Beacon = append([]byte{}, proof[:]...), Mix(parent.Beacon, beta) }
	for _, c := range []fieldCase{
		{"what the leader draws", true, func(*Header) {}},
		{"another view", false, func(h *Header) { h.View++ }},
		{"another epoch", false, func(h *Header) { h.Epoch++ }},
		{"another chain", false, func(h *Header) { h.ChainID[0] ^= 1 }},
		{"another beacon", false, func(h *Header) { h.Beacon[0] ^= 1 }},
		{"the parent's beacon", false, func(h *Header) { h.Beacon = parent.Beacon }},
		{"another proof", false, func(h *Header) { h.VRF[40] ^= 1 }},
		{"half of a proof", false, func(h *Header) { h.VRF = h.VRF[:48] }},
		{"another leader's draw", false, func(h *Header) {
			p, b := vrf.NewKey([32]byte{1}).Prove(Alpha(h.ChainID, h.Epoch, h.View, parent.Beacon))
			h.VRF, h.Beacon = p[:], Mix(parent.Beacon, b)
		}},
	} {
		cases = append(cases, fieldCase{c.name, c.ok, func(h *Header) { set(h); c.change(h) }})
	}
	return parent, key.Public(), cases
}

func TestTheBeaconIsWhatTheLeaderDraws(t *testing.T) {
	parent, leader, cases := drawCases()
	for _, c := range cases {
		_, h := sample()
		c.change(&h)
		if err := parent.CheckBeacon(&h, leader); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrField) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, h := sample()
	if err := parent.CheckBeacon(&h, vrf.PublicKey{}); err != nil {
		t.Errorf("no VRF: %v", err)
	}
	cases[0].change(&h)
	parent.Beacon[0] ^= 1
	if err := parent.CheckBeacon(&h, leader); !errors.Is(err, ErrField) {
		t.Errorf("another parent: %v", err)
	}
}
