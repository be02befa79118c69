// SPDX-License-Identifier: Apache-2.0

package twins

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/consensus/header"
)

// modelViews is MAXVIEW of docs/spec/simplex.qnt.
const modelViews = 5

// step is one line of a trace: see testdata/itf.py.
type step struct {
	do   string
	x, y int // of a block: its view or proposer, its parent
	kind uint64
}

func (s step) String() string { return fmt.Sprintf("%s %d %d", s.do, s.x, s.y) }

// trace is one run of the model.
type trace struct {
	leader     [modelViews + 1]int // of each view; 0 is the faulty one
	steps      []step
	cur, begun [4]int // of nodes 1 to 3 at the end
}

func parseTrace(t *testing.T, line string) (out trace) {
	t.Helper()
	parts := strings.Split(line, "; ")
	if len(parts) != 3 {
		t.Fatalf("not a trace: %q", line)
	}
	scan := func(from string, into ...any) {
		if n, _ := fmt.Sscan(from, into...); n < min(len(into), len(strings.Fields(from))) || n < 3 {
			t.Fatalf("cannot read %q", from)
		}
	}
	l := &out.leader
	scan(parts[0], &l[1], &l[2], &l[3], &l[4], &l[5])
	for _, text := range strings.Split(parts[1], ", ") {
		var s step
		scan(text, &s.do, &s.x, &s.y, &s.kind)
		out.steps = append(out.steps, s)
	}
	for i, text := range strings.Fields(parts[2]) {
		if n, err := fmt.Sscanf(text, "%d/%d", &out.cur[i+1], &out.begun[i+1]); n != 2 || err != nil {
			t.Fatalf("cannot read %q", text)
		}
	}
	return out
}

// at is a word of an honest node about a view or a block.
type at struct{ node, x int }

// model is the state of docs/spec/simplex.qnt. The definitions below are those of
// the model, by the same names.
type model struct {
	blocks            []modelBlock
	leader            [modelViews + 1]int
	cur, begun        [4]int
	notes, nulls, fin map[at]bool
}

type modelBlock struct {
	v, parent int
	kind      uint64
}

func newModel(t *trace) model {
	return model{
		blocks: []modelBlock{{}}, leader: t.leader, cur: [4]int{0, 1, 1, 1}, begun: [4]int{-1, -1, -1, -1},
		notes: map[at]bool{}, nulls: map[at]bool{}, fin: map[at]bool{},
	}
}

// apply takes over what a step of the trace changes.
func (m *model) apply(s step) {
	switch s.do {
	case "prop":
		m.blocks = append(m.blocks, modelBlock{m.cur[s.x], s.y, s.kind})
	case "bad":
		m.blocks = append(m.blocks, modelBlock{s.x, s.y, s.kind})
	case "note":
		m.notes[at{s.x, s.y}] = true
	case "null", "crash":
		m.nulls[at{s.x, s.y}] = true
	case "fin":
		m.fin[at{s.x, s.y}] = true
	case "enter":
		m.cur[s.x] = s.y
	case "begin":
		m.begun[s.x] = s.y
	}
}

// quorum reports whether two honest nodes have said it; the faulty one says all.
func quorum(words map[at]bool, x int) bool {
	n := 0
	for node := 1; node <= 3; node++ {
		if words[at{node, x}] {
			n++
		}
	}
	return n >= 2
}

func (m *model) notarized(b int) bool { return b == 0 || quorum(m.notes, b) }
func (m *model) nullified(v int) bool { return quorum(m.nulls, v) }
func (m *model) finalized(b int) bool { return b != 0 && quorum(m.fin, b) }

// certified returns the block of a view with a Notarization, 0 if there is none.
func (m *model) certified(v int) int {
	for b := range m.blocks {
		if b != 0 && m.blocks[b].v == v && m.notarized(b) {
			return b
		}
	}
	return 0
}

// chain lists b and what it stands on, without the root of the epoch, from below.
func (m *model) chain(b int) []int {
	var out []int
	for ; b != 0; b = m.blocks[b].parent {
		out = append(out, b)
	}
	slices.Reverse(out)
	return out
}

func (m *model) justified(b int) bool {
	x := m.blocks[b]
	up := m.blocks[x.parent].v
	if !m.notarized(x.parent) || up >= x.v {
		return false
	}
	for w := up + 1; w < x.v; w++ {
		if !m.nullified(w) {
			return false
		}
	}
	return true
}

func (m *model) fits(b int) bool {
	x := m.blocks[b]
	return (m.blocks[x.parent].kind != header.KindNormal) == (x.kind == header.KindCarrier)
}

// mayFinalize is what the guard of finalize says of everybody's words; those of
// the node itself are looked at where they are collected.
func (m *model) mayFinalize(b int) bool {
	return m.notarized(b) && !slices.ContainsFunc(m.chain(b), func(x int) bool { return !m.justified(x) || !m.fits(x) })
}

// decided lists what a core that has heard all has made final: the chain of the
// newest final block, up to a seal.
func (m *model) decided() []int {
	top := 0
	for b := range m.blocks {
		if m.finalized(b) && len(m.chain(b)) > len(m.chain(top)) {
			top = b
		}
	}
	chain := m.chain(top)
	if i := slices.IndexFunc(chain, func(b int) bool { return m.blocks[b].kind == header.KindSeal }); i >= 0 {
		chain = chain[:i+1]
	}
	return chain
}
