// SPDX-License-Identifier: Apache-2.0

package gpu

import (
	"fmt"

	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Plan is a graph made ready for one device: memory for everything between its
// inputs and outputs, allocated once and used by one value after the other; nodes
// that no output needs are left out, small values that depend on no input are computed
// when the plan is made. It belongs to the device's goroutine. Spec: GPU-01, OP-01.
type Plan struct {
	d     Device
	g     program.Graph
	at    []place // of each value
	steps []step
	once  []step // run when the plan is made
	owned []Buffer
}

// place says where a value lies: in memory of the plan, or in that of the caller.
type place struct {
	kind  int    // fixed, input or output
	index int    // of the caller's input or output
	buf   Buffer // if fixed
}

const (
	fixed = iota
	input
	output
)

// step is one Run: a node, or a copy of a value to an output.
type step struct {
	node program.Node
	in   []uint64   // values
	lay  *[3]Layout // nil: all contiguous
	out  place
	// value is that which the step gives, if out is fixed.
	value int
}

// slot is an allocation while a plan is made.
type slot struct {
	typ  fx.Type
	size uint64 // elements, the most that any of its values has
	free bool
	buf  Buffer
}

// work is a node as it is run: what it reads may be other values than in the graph,
// in another order.
type work struct {
	program.Node
	lay *[3]Layout
}

// planner holds what is needed only while a plan is made.
type planner struct {
	p      *Plan
	nodes  []work
	sigs   []fx.Sig
	args   []fx.Arg
	last   []int  // node that runs and reads a value last; len(nodes) for outputs, −1 for none
	once   []bool // values that are the same in every run
	slots  []slot
	slotOf []int // −1: not in a slot
}

// NewPlan checks g and allocates. An output with the name of an input may be given
// the same buffer as that input in Run: the plan writes it only after the last
// read, or through memory of its own. Errors: program.ErrSpec, ErrMemory.
func NewPlan(d Device, g program.Graph) (*Plan, error) {
	m, err := plan(d, g)
	if err != nil {
		return nil, err
	}
	err = m.allocate()
	if err == nil {
		err = m.p.run(m.p.once, nil, nil)
	}
	if err != nil {
		m.p.Close()
		return nil, err
	}
	return m.p, nil
}

// PlanMemory is what Plan.Memory of a plan of g is, without a device, in bytes.
// Errors: program.ErrSpec.
func PlanMemory(g program.Graph) (uint64, error) {
	m, err := plan(nil, g)
	if err != nil {
		return 0, err
	}
	var n uint64
	for _, s := range m.slots {
		n += s.size * s.typ.Size()
	}
	return n, nil
}

// plan places every value.
func plan(d Device, g program.Graph) (*planner, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	m := &planner{p: &Plan{d: d, g: g}}
	for i, in := range g.Inputs {
		n := uint64(1)
		for _, s := range in.Shape {
			n *= s
		}
		m.args = append(m.args, fx.Arg{Type: in.Type, Len: n})
		m.p.at = append(m.p.at, place{kind: input, index: i})
		m.slotOf = append(m.slotOf, -1)
	}
	for _, n := range g.Nodes {
		s, err := n.Check()
		if err != nil {
			return nil, err
		}
		m.sigs, m.args = append(m.sigs, s), append(m.args, s.Out)
		m.nodes = append(m.nodes, work{Node: n})
	}
	if _, ok := d.(Turner); ok {
		m.turn()
	}
	m.uses()
	m.constants()
	for i := range g.Nodes {
		m.node(i)
	}
	m.outputs()
	return m, nil
}

func (m *planner) uses() {
	m.last = make([]int, len(m.args))
	for v := range m.last {
		m.last[v] = -1
	}
	for _, o := range m.p.g.Outputs {
		m.last[o.Value] = len(m.p.g.Nodes)
	}
	for i := len(m.p.g.Nodes) - 1; i >= 0; i-- {
		if m.last[len(m.p.g.Inputs)+i] < 0 {
			continue // nobody needs it: it is not run, and what it reads is not read
		}
		for _, v := range m.nodes[i].In {
			m.last[v] = max(m.last[v], i)
		}
	}
}

// mostOnce is how many elements a value may have that the plan computes once and keeps,
// mostKept how many such values there may be.
const mostOnce, mostKept = 64, 1024

// constants finds small values that depend on no input and are no output.
func (m *planner) constants() {
	m.once = make([]bool, len(m.args))
	kept := 0
	for i, n := range m.nodes {
		v := len(m.p.g.Inputs) + i
		once := m.args[v].Len <= mostOnce && m.last[v] >= 0 && m.last[v] < len(m.nodes) && kept < mostKept
		for _, x := range n.In {
			once = once && m.once[x]
		}
		if m.once[v] = once; once {
			kept++
		}
	}
}

// direct returns the output that node i may write straight into the caller's
// memory, or −1: the first output of its value, if no input of that output's name
// is read later, or now except at the same index.
func (m *planner) direct(i int) int {
	v := uint64(len(m.p.g.Inputs) + i)
	for o, out := range m.p.g.Outputs {
		if out.Value != v {
			continue
		}
		for j, in := range m.p.g.Inputs {
			if in.Name == out.Name && (m.last[j] > i || m.last[j] == i && !m.sameIndex(i, uint64(j))) {
				return -1
			}
		}
		return o
	}
	return -1
}

// sameIndex reports whether node i reads value v only at the output's index.
func (m *planner) sameIndex(i int, v uint64) bool {
	s := m.sigs[i]
	for k, x := range m.nodes[i].In {
		if x == v && (s.Same>>k&1 == 0 || s.In[k] != s.Out) {
			return false
		}
	}
	return true
}

// node places the output of node i, if anything needs it, and frees the slots of
// values that it reads last.
func (m *planner) node(i int) {
	n, s := m.nodes[i], m.sigs[i]
	where, mine := place{kind: fixed}, -1
	switch v := len(m.p.g.Inputs) + i; {
	case m.last[v] < 0:
		m.p.at, m.slotOf = append(m.p.at, where), append(m.slotOf, -1)
		return
	case m.once[v]:
		m.slots = append(m.slots, slot{typ: s.Out.Type, size: s.Out.Len})
		m.p.at, m.slotOf = append(m.p.at, where), append(m.slotOf, len(m.slots)-1)
		m.p.once = append(m.p.once, step{node: n.Node, in: n.In, lay: n.lay, out: where, value: v})
		return
	}
	if o := m.direct(i); o >= 0 {
		where = place{kind: output, index: o}
	} else {
		for _, v := range n.In { // in the memory of an input that ends here
			if w := m.slotOf[v]; w >= 0 && m.last[v] == i && !m.once[v] && m.sameIndex(i, v) {
				mine = w
				break
			}
		}
		if mine < 0 {
			mine = m.take(s.Out)
		}
	}
	m.p.at, m.slotOf = append(m.p.at, where), append(m.slotOf, mine)
	m.p.steps = append(m.p.steps, step{node: n.Node, in: n.In, lay: n.lay, out: where, value: len(m.p.at) - 1})
	for _, v := range n.In {
		if w := m.slotOf[v]; w >= 0 && w != mine && m.last[v] == i && !m.once[v] {
			m.slots[w].free = true
		}
	}
}

// take finds a free slot: the smallest that is large enough, else the largest,
// which grows, else a new one.
func (m *planner) take(a fx.Arg) int {
	best := -1
	for i, s := range m.slots {
		if !s.free || s.typ != a.Type {
			continue
		}
		fits := s.size >= a.Len
		switch {
		case best < 0:
			best = i
		case fits == (m.slots[best].size >= a.Len):
			if fits == (s.size < m.slots[best].size) {
				best = i
			}
		case fits:
			best = i
		}
	}
	if best < 0 {
		m.slots = append(m.slots, slot{typ: a.Type})
		best = len(m.slots) - 1
	}
	m.slots[best].free = false
	m.slots[best].size = max(m.slots[best].size, a.Len)
	return best
}

// outputs copies at the end what could not be written in place. An input that is
// given out under another name goes through memory of the plan, before any output
// overwrites it.
func (m *planner) outputs() {
	var late []step
	for o, out := range m.p.g.Outputs {
		at, a := m.p.at[out.Value], m.args[out.Value]
		if at.kind == output && at.index == o {
			continue
		}
		n := program.Node{Op: fx.OpCopy, Attrs: []uint64{uint64(a.Type), a.Len}, In: []uint64{out.Value}, Shape: []uint64{a.Len}}
		if at.kind == input && m.p.g.Inputs[at.index].Name != out.Name {
			m.p.at = append(m.p.at, place{kind: fixed})
			m.args, m.slotOf = append(m.args, a), append(m.slotOf, m.take(a))
			m.p.steps = append(m.p.steps, step{node: n, in: n.In, out: place{kind: fixed}, value: len(m.p.at) - 1})
			n.In = []uint64{uint64(len(m.p.at) - 1)}
		}
		late = append(late, step{node: n, in: n.In, out: place{kind: output, index: o}})
	}
	m.p.steps = append(m.p.steps, late...)
}

func (m *planner) allocate() error {
	for i := range m.slots {
		s := &m.slots[i]
		b, err := m.p.d.Alloc(s.typ, s.size)
		if err != nil {
			return fmt.Errorf("plan of %d nodes: %w", len(m.p.g.Nodes), err)
		}
		s.buf, m.p.owned = b, append(m.p.owned, b)
	}
	for v, w := range m.slotOf {
		if w < 0 {
			continue
		}
		b := m.slots[w].buf
		if m.args[v].Len != b.Len() {
			var err error
			if b, err = m.p.d.View(b, 0, m.args[v].Len); err != nil {
				return err
			}
		}
		m.p.at[v].buf = b
	}
	for _, steps := range [][]step{m.p.once, m.p.steps} {
		for i := range steps {
			if s := &steps[i]; s.out.kind == fixed {
				s.out.buf = m.p.at[s.value].buf
			}
		}
	}
	return nil
}

// Graph is what the plan runs, not to be changed.
func (p *Plan) Graph() program.Graph { return p.g }

// Memory is what the plan holds on its device, in bytes.
func (p *Plan) Memory() uint64 {
	var n uint64
	for _, b := range p.owned {
		n += b.Region().Len
	}
	return n
}

// Run computes one step from in to out, in the order of the graph's inputs and
// outputs. An output may share its buffer with the input of the same name and with
// nothing else. It may return before the work is done, see Device.Run. Errors:
// those of Device.Run, ErrArgs.
func (p *Plan) Run(in, out []Buffer) error {
	if len(in) != len(p.g.Inputs) || len(out) != len(p.g.Outputs) {
		return fmt.Errorf("%w: %d inputs and %d outputs, want %d and %d", ErrArgs, len(in), len(out), len(p.g.Inputs), len(p.g.Outputs))
	}
	return p.run(p.steps, in, out)
}

func (p *Plan) run(steps []step, in, out []Buffer) error {
	where := func(w place) Buffer {
		switch w.kind {
		case input:
			return in[w.index]
		case output:
			return out[w.index]
		}
		return w.buf
	}
	var args [program.MaxIn]Buffer
	for i, s := range steps {
		a := args[:0]
		for _, v := range s.in {
			a = append(a, where(p.at[v]))
		}
		var err error
		if s.lay != nil {
			err = p.d.(Turner).RunTurned(s.node, *s.lay, a, where(s.out))
		} else {
			err = p.d.Run(s.node, a, where(s.out))
		}
		if err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
	}
	return nil
}

// Close frees the plan's memory.
func (p *Plan) Close() error {
	var first error
	for _, b := range p.owned {
		if err := p.d.Free(b); err != nil && first == nil {
			first = err
		}
	}
	p.owned = nil
	return first
}
