// SPDX-License-Identifier: Apache-2.0

package valset

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/set.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/set.json"

// vectors is set.json. All bytes are hex. The checks in another language run with
// those of consensus/msg.
type vectors struct {
	About string   `json:"about"`
	Sets  []setVec `json:"sets"`
}

type setVec struct {
	Name       string `json:"name"`
	Bytes      string `json:"bytes"`
	Error      string `json:"error,omitempty"` // set
	Hash       string `json:"hash,omitempty"`
	Power      uint64 `json:"power,omitempty"`
	Quorum     uint64 `json:"quorum,omitempty"`
	Faulty     uint64 `json:"faulty"`
	Aggregates bool   `json:"aggregates"`
	Draws      bool   `json:"draws"`
	Seed       string `json:"seed,omitempty"` // orders the leaders of the views from 1 on
	Leaders    []int  `json:"leaders,omitempty"`
}

// encode writes entries as they are, in set order or not.
func encode(e []Entry) []byte { return (&Set{epoch: 4, entries: e}).Encode() }

// ordered brings lawful entries into set order.
func ordered(e []Entry) []Entry {
	s, err := New(4, e)
	if err != nil {
		panic(err)
	}
	return s.entries
}

func makeVectors() vectors {
	v := vectors{About: "Validator sets (CONS-02, CONS-39) and their leaders (CONS-41). Powers descend, then addresses ascend; keys for all or for none."}
	change := func(f func(e []Entry)) []byte {
		e := ordered(withKeys(entries(5, 3, 1)))
		f(e)
		return encode(e)
	}
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"one validator", encode(entries(1))},
		{"four with unequal powers", encode(ordered(entries(4, 3, 2, 1)))},
		{"equal powers in the order of addresses", encode(ordered(entries(2, 2, 2, 2, 2, 2, 2)))},
		{"a total that three divides", encode(ordered(entries(3, 2, 2, 2)))},
		{"BLS and VRF keys", change(func([]Entry) {})},
		{"BLS keys only", change(func(e []Entry) { e[0].VRF, e[1].VRF, e[2].VRF = []byte{}, []byte{}, []byte{} })},
		{"nobody", encode([]Entry{})},
		{"powers that ascend", encode([]Entry{ordered(entries(2, 1))[1], ordered(entries(2, 1))[0]})},
		{"addresses that descend", encode([]Entry{ordered(entries(2, 2))[1], ordered(entries(2, 2))[0]})},
		{"a power of zero", change(func(e []Entry) { e[2].Power = 0 })},
		{"a BLS key missing", change(func(e []Entry) { e[1].BLS = []byte{} })},
		{"a VRF key missing", change(func(e []Entry) { e[1].VRF = []byte{} })},
		{"BLS keys cut short", change(func(e []Entry) { e[0].BLS, e[1].BLS, e[2].BLS = []byte{1}, []byte{2}, []byte{3} })},
		{"a vote key twice", change(func(e []Entry) { e[2].Key = e[0].Key })},
		{"an address twice", change(func(e []Entry) { e[2].Address = e[0].Address })},
		{"too much power", change(func(e []Entry) { e[0].Power = MaxPower })},
		{"cut short", change(func([]Entry) {})[:40]},
	} {
		vec := setVec{Name: c.name, Bytes: hex.EncodeToString(c.b), Error: "set"}
		if s, err := Decode(c.b); err == nil {
			h, seed := s.Hash(), [32]byte{7}
			vec.Error, vec.Hash, vec.Seed = "", hex.EncodeToString(h[:]), hex.EncodeToString(seed[:])
			vec.Power, vec.Quorum, vec.Faulty, vec.Aggregates, vec.Draws = s.Total(), s.Quorum(), s.Faulty(), s.Aggregates(), s.Draws()
			sched := NewSchedule(s, seed)
			for view := uint64(1); view <= 12; view++ {
				vec.Leaders = append(vec.Leaders, sched.Leader(view))
			}
		}
		v.Sets = append(v.Sets, vec)
	}
	return v
}

func TestVectorsAreCurrent(t *testing.T) {
	want, err := json.MarshalIndent(makeVectors(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("set.json differs from what this code makes; if the change is meant, run with -args -update")
	}
}
