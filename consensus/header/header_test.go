// SPDX-License-Identifier: Apache-2.0

package header

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/openledger/openledger/internal/enc"
)

// sample returns a lawful header and its lawful parent.
func sample() (parent, child Header) {
	var chain, set [32]byte
	chain[0], set[0] = 1, 2
	parent = Genesis(chain, set, 0, 1_700_000_000_000)
	child = Header{
		Version: Version, ChainID: chain, View: 3, Height: 1, TimeMS: parent.TimeMS + 20, Parent: parent.Hash(),
		Justification: PayloadRoot([][32]byte{{9}}), Leader: 2, PayloadRoot: PayloadRoot([][32]byte{{7}, {8}}),
		Batches: 2, Txs: 5, StateRoot: [32]byte{4}, ReceiptsRoot: [32]byte{5}, SetHash: set, NextSet: []byte{}, VRF: []byte{},
		Beacon: parent.Beacon, CertifiedMS: parent.CertifiedMS,
	}
	return parent, child
}

func TestHeaderSurvivesItsEncoding(t *testing.T) {
	_, h := sample()
	got, err := Decode(h.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, h) || got.Hash() != h.Hash() {
		t.Errorf("got %+v\nwant %+v", got, h)
	}
	if n := len(h.Encode()); n > 512 {
		t.Errorf("a plain header has %d bytes", n)
	}
}

func TestEveryFieldChangesTheHash(t *testing.T) {
	_, h := sample()
	v := reflect.ValueOf(&h).Elem()
	for i := 1; i < v.NumField(); i++ {
		name, before := v.Type().Field(i).Name, h.Hash()
		old := reflect.New(v.Field(i).Type()).Elem()
		old.Set(v.Field(i))
		switch f := v.Field(i); f.Kind() {
		case reflect.Uint64:
			f.SetUint(f.Uint() + 1)
		case reflect.Slice:
			f.SetBytes([]byte{1})
		default:
			f.Index(31).SetUint(f.Index(31).Uint() ^ 1)
		}
		if h.Hash() == before {
			t.Errorf("%s does not change the hash", name)
		}
		v.Field(i).Set(old)
	}
}

func TestDecodeRefuses(t *testing.T) {
	_, h := sample()
	good := h.Encode()
	for name, b := range map[string][]byte{
		"nothing":                   {},
		"a header cut short":        good[:len(good)-1],
		"a byte after the header":   append(bytes.Clone(good), 0),
		"an array of 21":            append([]byte{0x95}, good[1:]...),
		"a version in two bytes":    append([]byte{good[0], 0x18, 1}, good[2:]...),
		"more than the size limit":  make([]byte, MaxBytes+1),
		"a next set beyond the cap": enc.Encode(&Header{NextSet: make([]byte, MaxBytes)}),
	} {
		if _, err := Decode(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, c := range faceCases() {
		_, h := sample()
		c.change(&h)
		if err := h.Check(); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrField) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

type fieldCase struct {
	name   string
	ok     bool
	change func(*Header)
}

func faceCases() []fieldCase {
	return []fieldCase{
		{"a lawful header", true, func(*Header) {}},
		{"an empty block", true, func(h *Header) { h.Batches, h.Txs, h.PayloadRoot = 0, 0, PayloadRoot(nil) }},
		{"the largest gap", true, func(h *Header) { h.View, h.ParentView = MaxGap, 0 }},
		{"another version", false, func(h *Header) { h.Version = 2 }},
		{"a seal", true, func(h *Header) { sealed(h) }},
		{"a seal with transactions", false, func(h *Header) { h.Kind, h.NextSet = KindSeal, make([]byte, 32) }},
		{"a seal without the next set", false, func(h *Header) { sealed(h); h.NextSet = []byte{} }},
		{"a seal with half a next set", false, func(h *Header) { sealed(h); h.NextSet = h.NextSet[:16] }},
		{"a carrier", true, func(h *Header) { sealed(h); h.Kind, h.NextSet = KindCarrier, []byte{} }},
		{"a carrier with a next set", false, func(h *Header) { sealed(h); h.Kind = KindCarrier }},
		{"a carrier with transactions", false, func(h *Header) { h.Kind = KindCarrier }},
		{"a carrier with a VRF", false, func(h *Header) {
			sealed(h)
			h.Kind, h.NextSet, h.VRF = KindCarrier, []byte{}, make([]byte, 96)
		}},
		{"an unknown kind", false, func(h *Header) { sealed(h); h.Kind, h.NextSet = 3, []byte{} }},
		{"view 0", false, func(h *Header) { h.View = 0 }},
		{"height 0", false, func(h *Header) { h.Height = 0 }},
		{"a parent in the same view", false, func(h *Header) { h.ParentView = h.View }},
		{"a parent in a later view", false, func(h *Header) { h.ParentView = h.View + 1 }},
		{"a gap above the limit", false, func(h *Header) { h.View = MaxGap + 1 }},
		{"too many batches", false, func(h *Header) { h.Batches = MaxBatches + 1 }},
		{"too many transactions", false, func(h *Header) { h.Txs = MaxTxs + 1 }},
		{"transactions without a batch", false, func(h *Header) { h.Batches = 0 }},
		{"batches without a transaction", false, func(h *Header) { h.Txs = 0 }},
		{"a next set", false, func(h *Header) { h.NextSet = make([]byte, 32) }},
		{"a VRF", true, func(h *Header) { h.VRF = make([]byte, 96) }},
		{"a VRF cut short", false, func(h *Header) { h.VRF = make([]byte, 95) }},
		{"a certified block", true, func(h *Header) { h.Certify = 1 }},
		{"certified twice", false, func(h *Header) { h.Certify = 2 }},
	}
}

// sealed empties a block and gives it a next set.
func sealed(h *Header) {
	h.Kind, h.NextSet = KindSeal, bytes.Repeat([]byte{3}, 32)
	h.Batches, h.Txs, h.PayloadRoot = 0, 0, PayloadRoot(nil)
}

// onSeal returns a lawful seal on sample's child and a block of a kind on it: a
// carrier, or the first normal block of the next epoch.
func onSeal(kind uint64) (seal, child Header) {
	_, h := sample()
	seal = h
	sealed(&seal)
	seal.Parent, seal.View, seal.ParentView, seal.Height, seal.TimeMS = h.Hash(), 4, 3, 2, h.TimeMS+20
	seal.Certify, seal.CertifiedMS = 1, seal.TimeMS
	child = seal
	child.Kind, child.Parent, child.TimeMS, child.NextSet = kind, seal.Hash(), seal.TimeMS+20, []byte{}
	if child.View, child.ParentView, child.CertifiedMS = 5, 4, child.TimeMS; kind == KindNormal {
		child.Epoch, child.View, child.ParentView, child.Height = 1, 1, 0, 3
		child.SetHash, child.StateRoot = [32]byte(seal.NextSet), [32]byte{6}
		child.Certify, child.CertifiedMS = 0, seal.CertifiedMS
	}
	return seal, child
}

// childCase changes the child of a pair: sample's, or one on a seal.
type childCase struct {
	name   string
	ok     bool
	pair   func() (Header, Header)
	change func(*Header)
}

func childCases() []childCase {
	carrier := func() (Header, Header) { return onSeal(KindCarrier) }
	first := func() (Header, Header) { return onSeal(KindNormal) }
	return []childCase{
		{"a lawful child", true, sample, func(*Header) {}},
		{"another parent", false, sample, func(h *Header) { h.Parent[0] ^= 1 }},
		{"another parent view", false, sample, func(h *Header) { h.ParentView = 1 }},
		{"another chain", false, sample, func(h *Header) { h.ChainID[0] ^= 1 }},
		{"another epoch", false, sample, func(h *Header) { h.Epoch++ }},
		{"another set", false, sample, func(h *Header) { h.SetHash[0] ^= 1 }},
		{"the parent's height", false, sample, func(h *Header) { h.Height-- }},
		{"a height left out", false, sample, func(h *Header) { h.Height++ }},
		{"the parent's time", false, sample, func(h *Header) { h.TimeMS -= 20 }},
		{"one millisecond after the parent", true, sample, func(h *Header) { h.TimeMS -= 19 }},
		{"another beacon", false, sample, func(h *Header) { h.Beacon[0] ^= 1 }},
		{"another beacon with a VRF", true, sample, func(h *Header) { h.Beacon[0] ^= 1; h.VRF = make([]byte, 96) }},
		{"another certified time", false, sample, func(h *Header) { h.CertifiedMS++ }},
		{"certified now", true, sample, func(h *Header) { h.Certify, h.CertifiedMS = 1, h.TimeMS }},
		{"certified now, time of before", false, sample, func(h *Header) { h.Certify = 1 }},
		{"a seal on a normal block", true, sample, func(h *Header) { sealed(h) }},
		{"a carrier on a normal block", false, sample, func(h *Header) { sealed(h); h.Kind, h.NextSet = KindCarrier, []byte{} }},
		{"a carrier on a seal", true, carrier, func(*Header) {}},
		{"a normal block on a seal in its epoch", false, carrier, func(h *Header) { h.Kind = KindNormal }},
		{"a seal on a seal in its epoch", false, carrier, func(h *Header) { sealed(h) }},
		{"a carrier one height up", false, carrier, func(h *Header) { h.Height++ }},
		{"a carrier with another state root", false, carrier, func(h *Header) { h.StateRoot[0] ^= 1 }},
		{"a carrier with another receipts root", false, carrier, func(h *Header) { h.ReceiptsRoot[0] ^= 1 }},
		{"a carrier with another set", false, carrier, func(h *Header) { h.SetHash[0] ^= 1 }},
		{"the first block of the next epoch", true, first, func(*Header) {}},
		{"a seal on a seal", true, first, func(h *Header) { sealed(h) }},
		{"a carrier of the next epoch", false, first, func(h *Header) { h.Kind = KindCarrier }},
		{"an epoch left out", false, first, func(h *Header) { h.Epoch = 2 }},
		{"the seal's view as parent view", false, first, func(h *Header) { h.View, h.ParentView = 5, 4 }},
		{"another set than the seal names", false, first, func(h *Header) { h.SetHash[0] ^= 1 }},
		{"the seal's height", false, first, func(h *Header) { h.Height-- }},
	}
}

func TestCheckChildRefuses(t *testing.T) {
	for _, c := range childCases() {
		parent, h := c.pair()
		c.change(&h)
		if err := parent.CheckChild(parent.Hash(), &h); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrField) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	parent, child := sample()
	f.Add(parent.Encode())
	f.Add(child.Encode())
	f.Add([]byte{0x96, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(h.Encode(), b) {
			t.Errorf("%x decodes and encodes to %x", b, h.Encode())
		}
		_ = h.Check()
	})
}

func BenchmarkHash(b *testing.B) {
	_, h := sample()
	b.ReportAllocs()
	for b.Loop() {
		_ = h.Hash()
	}
}

// TestCONS42AnUnknownVersionIsNamed, so that nobody takes it for damage.
func TestCONS42AnUnknownVersionIsNamed(t *testing.T) {
	for version, want := range map[uint64]bool{0: false, Version + 1: true} {
		h := Header{Version: version, View: 1, Height: 1}
		if err := h.Check(); !errors.Is(err, ErrField) || errors.Is(err, ErrUpgrade) != want {
			t.Errorf("version %d: %v", version, err)
		}
	}
}
