// SPDX-License-Identifier: Apache-2.0

package hf

import (
	"bytes"
	"encoding/json"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func bits(x float32) uint32 { return math.Float32bits(x) }

// ropes are kinds of tables: head widths that are and are not powers of two,
// every scaling, thetas of models that exist.
var ropes = []Arch{
	{HeadDim: 64, Rope: Rope{ThetaBits: bits(10000)}},
	{HeadDim: 2, Rope: Rope{ThetaBits: bits(1.5)}},
	{HeadDim: 100, Rope: Rope{ThetaBits: bits(1e6)}},
	{HeadDim: 80, Rope: Rope{Scaling: ScaleLinear, ThetaBits: bits(10000), FactorBits: bits(2.5)}},
	{HeadDim: 64, Rope: Rope{Scaling: ScaleLlama3, ThetaBits: bits(500000), FactorBits: bits(32), LowBits: bits(1), HighBits: bits(4), Original: 8192}},
	{HeadDim: 128, Rope: Rope{Scaling: ScaleLlama3, ThetaBits: bits(500000), FactorBits: bits(8), LowBits: bits(1), HighBits: bits(4), Original: 8192}},
}

type ropeCase struct {
	Theta    uint32   `json:"theta"`
	Half     uint32   `json:"half"`
	Scaling  Scaling  `json:"scaling"`
	Factor   uint32   `json:"factor"`
	Low      uint32   `json:"low"`
	High     uint32   `json:"high"`
	Original uint32   `json:"original"`
	At       [][2]int `json:"at"`
}

// TestTNS03RopeTablesHoldInAnotherLanguage compares entries all over tables with
// 100-digit decimals.
func TestTNS03RopeTablesHoldInAnotherLanguage(t *testing.T) {
	const positions = 4096
	var cases []ropeCase
	for _, a := range ropes {
		r, half := a.Rope, int(a.HeadDim/2)
		c := ropeCase{r.ThetaBits, uint32(half), r.Scaling, r.FactorBits, r.LowBits, r.HighBits, r.Original, nil}
		for k := range 60 {
			c.At = append(c.At, [2]int{(k * 1237) % positions, (k * 7) % half})
		}
		c.At = append(c.At, [2]int{0, 0}, [2]int{1, 0}, [2]int{positions - 1, half - 1}, [2]int{positions - 1, 0})
		cases = append(cases, c)
	}
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", filepath.Join("testdata", "rope_check.py"))
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3 testdata/rope_check.py: %v", err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) != len(cases) {
		t.Fatalf("%d answers", len(lines))
	}
	for n, c := range cases {
		var want [][2]uint32
		if err := json.Unmarshal(lines[n], &want); err != nil || len(want) != len(c.At) {
			t.Fatalf("%d entries, %v", len(want), err)
		}
		cos, sin := RopeTables(ropes[n], positions)
		for k, at := range c.At {
			j := at[0]*int(c.Half) + at[1]
			if bits(cos[j]) != want[k][0] || bits(sin[j]) != want[k][1] {
				t.Errorf("table %d, position %d, pair %d: %08x %08x, in Python %08x", n, at[0], at[1], bits(cos[j]), bits(sin[j]), want[k])
			}
		}
	}
}

// TestTNS03LastPositionsAreExact goes to the end of the longest table: the
// rotations add up to the angle.
func TestTNS03LastPositionsAreExact(t *testing.T) {
	a := Arch{HeadDim: 2, Rope: Rope{ThetaBits: bits(2)}}
	cos, sin := RopeTables(a, MaxPositions)
	for _, p := range []int{1, 2, 355, 710, 103993, 131071} {
		s, c := math.Sincos(float64(p))
		if cos[p] != float32(c) || sin[p] != float32(s) {
			t.Errorf("position %d: %v %v, want %v %v", p, cos[p], sin[p], c, s)
		}
	}
	short, _ := RopeTables(a, 100)
	if !slices.Equal(short, cos[:100]) {
		t.Error("a short table is no prefix of a long one")
	}
	if bits(cos[0]) != bits(1) || bits(sin[0]) != 0 {
		t.Error("position 0 turns")
	}
}

func BenchmarkRopeTables(b *testing.B) {
	for b.Loop() {
		RopeTables(ropes[4], 1024)
	}
}
