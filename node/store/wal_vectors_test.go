// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/wal.json anew")

// walVectors is docs/spec/vectors/wal.json. Bytes are hex with numbers between,
// which stand for so many zeros.
type walVectors struct {
	Twice    uint8            `json:"words_up_to_kind"`
	Records  [][2]any         `json:"records"` // kind, payload
	Segments map[string][]any `json:"segments"`
	Cases    []walCase        `json:"cases"`
}

// walCase is the log after some damage, and what a reader makes of it.
type walCase struct {
	Name     string         `json:"name"`
	Drop     []string       `json:"drop,omitempty"` // segments that are missing
	Cut      map[string]int `json:"cut,omitempty"`  // length that is left
	Flip     map[string]int `json:"flip,omitempty"` // a byte that is inverted
	Wipe     []any          `json:"wipe,omitempty"` // segment, from, to: zeros
	Add      []string       `json:"add,omitempty"`  // segment, hex behind its end
	Corrupt  bool           `json:"corrupt"`
	Records  []int          `json:"records"`  // by number in records
	Repaired []int          `json:"repaired"` // of which these come from copies
}

// walSegments writes a log of two segments with fixed salts, and a third that
// releases the first.
func walSegments(t *testing.T, rs []Record) map[string][]byte {
	dir, before := t.TempDir(), place{}
	out := map[string][]byte{}
	for seq := uint64(1); seq <= 3; seq++ {
		b, _ := head{segment: seq, salt: 0x5a17_0000_0000_0000 + seq, first: 1, before: before}.start()
		if err := os.WriteFile(segmentPath(dir, seq), b, 0o600); err != nil {
			t.Fatal(err)
		}
		w, _, err := OpenWAL(Dir(dir), words)
		if err != nil {
			t.Fatal(err)
		}
		part := rs[(seq-1)*8 : seq*8]
		appendAll(t, w, part[:3])
		mustSync(t, w)
		appendAll(t, w, part[3:6])
		mustSync(t, w)
		if seq == 3 {
			if err := w.release(2); err != nil {
				t.Fatal(err)
			}
		}
		appendAll(t, w, part[6:])
		if seq < 3 {
			mustSync(t, w)
		}
		before = w.place()
		if err := w.file.Close(); err != nil { // the rest is not synced
			t.Fatal(err)
		}
		b, err = os.ReadFile(segmentPath(dir, seq))
		if err != nil {
			t.Fatal(err)
		}
		out[segmentName(seq)] = b
	}
	return out
}

// packed is b with its long runs of zeros as numbers.
func packed(b []byte) []any {
	var out []any
	for len(b) > 0 {
		i := bytes.Index(b, make([]byte, 32))
		if i < 0 {
			i = len(b)
		}
		if i > 0 {
			out = append(out, hex.EncodeToString(b[:i]))
		}
		rest := bytes.TrimLeft(b[i:], "\x00")
		if zeros := len(b) - i - len(rest); zeros > 0 {
			out = append(out, zeros)
		}
		b = rest
	}
	return out
}

// apply is the log after the damage of the case.
func (c *walCase) apply(segments map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for name, b := range segments {
		out[name] = slices.Clone(b)
	}
	for name, n := range c.Cut {
		out[name] = out[name][:n]
	}
	for name, at := range c.Flip {
		out[name][at] ^= 0xff
	}
	if len(c.Wipe) == 3 {
		clear(out[c.Wipe[0].(string)][c.Wipe[1].(int):c.Wipe[2].(int)])
	}
	if len(c.Add) == 2 {
		more, _ := hex.DecodeString(c.Add[1])
		out[c.Add[0]] = append(out[c.Add[0]], more...)
	}
	for _, name := range c.Drop {
		delete(out, name)
	}
	return out
}

func walCases(segments map[string][]byte) []walCase {
	one, two, three := segmentName(1), segmentName(2), segmentName(3)
	n := len(segments[three])
	cases := []walCase{
		{Name: "whole"},
		{Name: "the first segment, released", Drop: []string{one}},
		{Name: "the first segment with the release lost", Drop: []string{one}, Cut: map[string]int{three: n / 2}},
		{Name: "a segment that is needed is missing", Drop: []string{one, two}},
		{Name: "a gap", Drop: []string{two}},
		{Name: "a torn record at the end", Cut: map[string]int{three: n - 1}},
		{Name: "all of the last record missing", Cut: map[string]int{three: n - 2 - recordHead - len(testRecord(23).Payload)}},
		{Name: "a segment that was begun and no more", Cut: map[string]int{three: 100}},
		{Name: "an empty segment at the end", Cut: map[string]int{three: 0}},
		{Name: "an older segment cut short", Cut: map[string]int{two: len(segments[two]) - 60}},
		{Name: "noise behind the end", Add: []string{three, "00000003deadbeef07616263"}},
		{Name: "bytes behind the end of an older segment", Add: []string{two, "00ff00ff"}},
		{Name: "the first head damaged", Flip: map[string]int{three: 12}},
		{Name: "the second head damaged", Flip: map[string]int{three: blockBytes + 12}},
		{Name: "both heads gone", Wipe: []any{three, 0, startBytes}},
		{Name: "a block with records and no copy", Wipe: []any{three, blockBytes, 2 * blockBytes}},
		{Name: "two blocks, with records and their copy", Wipe: []any{two, blockBytes, 3 * blockBytes}},
		{Name: "the rest of a segment", Wipe: []any{two, startBytes, len(segments[two])}},
	}
	for at := startBytes; at < n; at += 97 { // where something is: a word, a copy, padding, a mark
		if b := segments[three][at : at+1]; b[0] != 0 {
			cases = append(cases, walCase{Name: "a flipped byte", Flip: map[string]int{three: at}})
		}
	}
	for at := startBytes; at < startBytes+120; at += 13 {
		cases = append(cases, walCase{Name: "a flipped byte", Flip: map[string]int{two: at}})
	}
	return cases
}

func makeWALVectors(t *testing.T) walVectors {
	rs := testRecords(24)
	for i := range rs {
		rs[i].Payload = append(rs[i].Payload, byte(100+i)) // no two alike
	}
	segments := walSegments(t, rs)
	v := walVectors{Twice: 5, Segments: map[string][]any{}, Cases: walCases(segments)}
	for _, r := range rs {
		v.Records = append(v.Records, [2]any{r.Kind, hex.EncodeToString(r.Payload)})
	}
	for name, b := range segments {
		v.Segments[name] = packed(b)
	}
	number := func(list []Record) []int {
		out := []int{}
		for _, r := range list {
			out = append(out, slices.IndexFunc(rs, func(x Record) bool { return x.Kind == r.Kind && bytes.Equal(x.Payload, r.Payload) }))
		}
		return out
	}
	for i := range v.Cases {
		c, dir := &v.Cases[i], t.TempDir()
		damaged := c.apply(segments)
		for _, name := range slices.Sorted(maps.Keys(damaged)) {
			if err := os.WriteFile(filepath.Join(dir, name), damaged[name], 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r, err := ReadWAL(Dir(dir), words)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
		c.Corrupt, c.Records, c.Repaired = err != nil, number(r.Records), number(r.Repaired)
	}
	return v
}

func TestCONS43VectorsAreCurrentAndHoldInPython(t *testing.T) {
	text, err := json.MarshalIndent(makeWALVectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	file := "../../docs/spec/vectors/wal.json"
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%s differs from what this package computes; review and run go test ./node/store -run CONS43Vectors -update: %v", file, err)
	}
	out, err := exec.Command("python3", "../../docs/spec/vectors/wal_check.py").CombinedOutput()
	if err != nil {
		t.Fatalf("tests need python3: %v\n%s", err, out)
	}
}
