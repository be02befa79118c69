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
		{"a seal", false, func(h *Header) { h.Kind = KindSeal }},
		{"a carrier", false, func(h *Header) { h.Kind = KindCarrier }},
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
		{"a VRF", false, func(h *Header) { h.VRF = make([]byte, 96) }},
		{"certify", false, func(h *Header) { h.Certify = 1 }},
	}
}

func childCases() []fieldCase {
	return []fieldCase{
		{"a lawful child", true, func(*Header) {}},
		{"another parent", false, func(h *Header) { h.Parent[0] ^= 1 }},
		{"another parent view", false, func(h *Header) { h.ParentView = 1 }},
		{"another chain", false, func(h *Header) { h.ChainID[0] ^= 1 }},
		{"another epoch", false, func(h *Header) { h.Epoch++ }},
		{"another set", false, func(h *Header) { h.SetHash[0] ^= 1 }},
		{"the parent's height", false, func(h *Header) { h.Height-- }},
		{"a height left out", false, func(h *Header) { h.Height++ }},
		{"the parent's time", false, func(h *Header) { h.TimeMS -= 20 }},
		{"one millisecond after the parent", true, func(h *Header) { h.TimeMS -= 19 }},
		{"another beacon", false, func(h *Header) { h.Beacon[0] ^= 1 }},
		{"another certified time", false, func(h *Header) { h.CertifiedMS++ }},
	}
}

func TestCheckChildRefuses(t *testing.T) {
	for _, c := range childCases() {
		parent, h := sample()
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
