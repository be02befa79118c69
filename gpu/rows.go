// SPDX-License-Identifier: Apache-2.0

package gpu

import (
	"slices"

	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// mostOnce is how many elements a value may have that the plan computes once and keeps,
// mostKept how many such values there may be.
const mostOnce, mostKept = 64, 1024

// Steps on fewer parts are not worth running together.
const fewParts = 16

// mostTogether bounds the work of finding what runs together.
const mostTogether = 64

// Steps that share no memory run together if they write at most so many elements:
// what they save is waiting for threads.
const smallStep = 1 << 14

// cutting returns into how many equal parts the work of a node can be cut, each part
// of the output needing the same part of the inputs k with bit k set and the others
// whole; 0 if it cannot. Every divisor of the number is one too.
func cutting(n program.Node) (parts uint64, cut uint8) {
	a := n.Attrs
	switch {
	case n.Op >= fx.OpAdd && n.Op <= fx.OpSelect:
		parts = a[0] * a[1]
		for k, mode := range a[2:] {
			switch mode {
			case fx.PerRow, fx.PerCol:
				parts = a[0]
				fallthrough
			case fx.Full:
				if mode != fx.PerCol {
					cut |= 1 << k
				}
			}
		}
		return parts, cut
	case n.Op > fx.OpSelect && n.Op < fx.OpRedSum:
		return a[0], 1<<len(n.In) - 1
	case n.Op == fx.OpRedSum || n.Op == fx.OpRedSumSq || n.Op == fx.OpRedMax:
		return a[0] * a[1], 1
	case n.Op == fx.OpRope || n.Op == fx.OpRopeBwd || n.Op == fx.OpXentBwd:
		return a[0], 1
	case n.Op == fx.OpAdamM || n.Op == fx.OpAdamV:
		return a[0], 3
	case n.Op == fx.OpAdamP:
		return a[0], 7
	}
	return 0, 0
}

// constants finds small values that depend on no input and are no output.
func (m *planner) constants() {
	m.once = make([]bool, len(m.args))
	kept := 0
	for i, n := range m.nodes {
		v := len(m.p.g.Inputs) + i
		once := m.args[v].Len <= mostOnce && m.last[v] >= 0 && m.last[v] < len(m.order) && kept < mostKept
		for _, x := range n.In {
			once = once && m.once[x]
		}
		if m.once[v] = once; once {
			kept++
		}
	}
}

// gather moves nodes that write where they read to the first that reads what they
// write: the gradients that are clipped one after the other before the first weight
// changes are clipped where their weight does.
func (m *planner) gather() {
	inputs := uint64(len(m.p.g.Inputs))
	place := make([]int, len(m.nodes))
	readers := map[uint64][]int{}
	for at, i := range m.order {
		place[i] = at
		if m.last[inputs+uint64(i)] < 0 {
			continue
		}
		for _, v := range m.nodes[i].In {
			readers[v] = append(readers[v], i)
		}
	}
	before := map[int][]int{}
	moved := make([]bool, len(m.nodes))
	for i, n := range m.nodes {
		parts, cut := cutting(n.Node)
		if parts < fewParts || len(readers[inputs+uint64(i)]) == 0 || m.last[inputs+uint64(i)] == len(m.order) {
			continue
		}
		ends := 0 // inputs that nobody reads later, but for small ones
		for k, v := range n.In {
			switch {
			case cut>>k&1 == 0 && m.args[v].Len == 1:
			case v >= inputs && m.last[v] == place[i] && m.args[v].Len == parts:
				ends++
			default:
				ends = -len(n.In)
			}
		}
		if next := readers[inputs+uint64(i)][0]; ends == 1 && place[next] > place[i]+1 {
			if p, _ := cutting(m.nodes[next].Node); p == parts {
				before[next], moved[i] = append(before[next], i), true
			}
		}
	}
	var order []int
	var put func(i int)
	put = func(i int) {
		for _, j := range before[i] {
			put(j)
		}
		order = append(order, i)
	}
	for _, i := range m.order {
		if !moved[i] {
			put(i)
		}
	}
	m.order = order
}

// access is how a step uses memory.
type access struct {
	where      [2]int // the slot, or the caller's buffer
	size       uint64
	cut, write bool
}

// memory names where a value lies; an output lies where the input of its name does.
func (m *planner) memory(at place, v int) [2]int {
	switch {
	case at.kind == input:
		return [2]int{input, at.index}
	case at.kind == fixed:
		return [2]int{fixed, m.slotOf[v]}
	}
	name := m.p.g.Outputs[at.index].Name
	if i := slices.IndexFunc(m.p.g.Inputs, func(x program.Input) bool { return x.Name == name }); i >= 0 {
		return [2]int{input, i}
	}
	return [2]int{output, at.index}
}

// accesses returns the accesses of step i and its parts.
func (m *planner) accesses(i int) (parts uint64, list []access) {
	s, c := m.p.steps[i], &m.p.calls[i]
	parts, cut := cutting(c.Node)
	for k, v := range s.in {
		list = append(list, access{m.memory(m.p.at[v], int(v)), c.Sig.In[k].Len, cut>>k&1 == 1, false})
	}
	return parts, append(list, access{m.memory(s.out, s.value), c.Sig.Out.Len, true, true})
}

// group joins neighbouring steps that can run together: what one writes another
// uses in the same parts, or not at all.
func (m *planner) group(caller bool) {
	var all []access // of the run that is built
	for i := range m.p.steps {
		parts, list := m.accesses(i)
		if n := len(m.p.runs); caller && n > 0 && parts >= fewParts {
			r := &m.p.runs[n-1]
			common := gcd(r.parts, parts)
			shared, apart := compare(all, list)
			if r.parts > 0 && common >= fewParts && i-r.first < mostTogether && apart && (shared || m.p.calls[i].Sig.Out.Len <= smallStep) {
				r.end, r.parts, all = i+1, common, append(all, list...)
				continue
			}
		}
		m.p.runs, all = append(m.p.runs, run{i, i + 1, parts}), list
	}
	for k := range m.p.runs {
		if r := &m.p.runs[k]; r.end == r.first+1 {
			r.parts = 0
		}
	}
}

// compare reports whether some step of the run and the next use the same memory, and
// whether every such pair, one of them a write, is cut alike.
func compare(all, more []access) (shared, apart bool) {
	for _, x := range all {
		for _, y := range more {
			if x.where != y.where || !x.write && !y.write {
				shared = shared || x.where == y.where && x.cut && y.cut
				continue
			}
			if !x.cut || !y.cut || x.size != y.size {
				return true, false
			}
			shared = true
		}
	}
	return shared, true
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
