// SPDX-License-Identifier: Apache-2.0

package gpu

import (
	"fmt"
	"slices"

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
	calls []Call // of the steps, with the buffers of the last run
	runs  []run
	owned []Buffer
}

// run is one step, or some that the device runs together, part by part.
type run struct {
	first, end int
	parts      uint64
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

// step says what a call reads and writes: it is a node, or copies a value to an output.
type step struct {
	in  []uint64 // values
	out place
	// value is that which the step gives, if out is fixed.
	value int
}

// slot is an allocation while a plan is made.
type slot struct {
	typ  fx.Type
	size uint64 // elements, the most that any of its values has
	free bool
	at   int // when it became free
	buf  Buffer
}

// work is a node as it is run: what it reads may be other values than in the graph,
// in another order.
type work struct {
	program.Node
	lay [3]Layout
}

// planner holds what is needed only while a plan is made.
type planner struct {
	p      *Plan
	nodes  []work
	sigs   []fx.Sig
	args   []fx.Arg
	order  []int // in which nodes run
	last   []int // place in order of the last node to read a value; len(order) for outputs, −1 for none
	slots  []slot
	slotOf []int  // of each value; −1: not in a slot
	once   []bool // values that are the same in every run
}

// NewPlan checks g and allocates. An output with the name of an input may be given
// the same buffer as that input in Run: the plan writes it only after the last
// read, or through memory of its own. Errors: program.ErrSpec, ErrMemory.
func NewPlan(d Device, g program.Graph) (*Plan, error) {
	_, caller := d.(Caller)
	m, err := plan(g, caller)
	if err != nil {
		return nil, err
	}
	m.p.d = d
	if err = m.allocate(); err == nil {
		err = m.p.prepare(m.once)
	}
	if err != nil {
		m.p.Close()
		return nil, err
	}
	m.group(caller)
	return m.p, nil
}

// PlanMemory is what Plan.Memory of a plan of g is at most, on any device, in bytes.
// Errors: program.ErrSpec.
func PlanMemory(g program.Graph) (uint64, error) {
	var most uint64
	for _, caller := range []bool{false, true} {
		m, err := plan(g, caller)
		if err != nil {
			return 0, err
		}
		var n uint64
		for _, s := range m.slots {
			n += s.size * s.typ.Size()
		}
		most = max(most, n)
	}
	return most, nil
}

// plan places every value, for a Caller or another device.
func plan(g program.Graph, caller bool) (*planner, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	m := &planner{p: &Plan{g: g}}
	for i, in := range g.Inputs {
		n := uint64(1)
		for _, s := range in.Shape {
			n *= s
		}
		m.args = append(m.args, fx.Arg{Type: in.Type, Len: n})
		m.p.at = append(m.p.at, place{kind: input, index: i})
	}
	for i, n := range g.Nodes {
		s, err := n.Check()
		if err != nil {
			return nil, err
		}
		m.sigs, m.args = append(m.sigs, s), append(m.args, s.Out)
		m.nodes, m.order = append(m.nodes, work{Node: n}), append(m.order, i)
		m.p.at = append(m.p.at, place{kind: fixed})
	}
	m.slotOf = slices.Repeat([]int{-1}, len(m.args))
	if caller {
		m.turn()
	}
	m.uses()
	m.constants()
	if caller {
		m.gather()
		m.uses()
	}
	for at, i := range m.order {
		m.node(at, i)
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
		m.last[o.Value] = len(m.order)
	}
	for at := len(m.order) - 1; at >= 0; at-- {
		i := m.order[at]
		if m.last[len(m.p.g.Inputs)+i] < 0 {
			continue // nobody needs it: it is not run, and what it reads is not read
		}
		for _, v := range m.nodes[i].In {
			m.last[v] = max(m.last[v], at)
		}
	}
}

// direct returns the output that node i, at this place in the order, may write
// straight into the caller's memory, or −1: the first output of its value, if no input
// of that output's name is read later, or now except at the same index.
func (m *planner) direct(at, i int) int {
	v := uint64(len(m.p.g.Inputs) + i)
	for o, out := range m.p.g.Outputs {
		if out.Value != v {
			continue
		}
		for j, in := range m.p.g.Inputs {
			if in.Name == out.Name && (m.last[j] > at || m.last[j] == at && !m.sameIndex(i, uint64(j))) {
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
// values that it reads last, but for those that are computed once.
func (m *planner) node(at, i int) {
	n, s, y := m.nodes[i], m.sigs[i], len(m.p.g.Inputs)+i
	where, mine := place{kind: fixed}, -1
	if m.last[y] < 0 {
		return
	}
	if o := m.direct(at, i); o >= 0 {
		where = place{kind: output, index: o}
	} else {
		for _, v := range n.In { // in the memory of an input that ends here
			if w := m.slotOf[v]; w >= 0 && !m.once[v] && m.last[v] == at && m.sameIndex(i, v) {
				mine = w
				break
			}
		}
		if m.once[y] {
			m.slots = append(m.slots, slot{typ: s.Out.Type, size: s.Out.Len})
			mine = len(m.slots) - 1
		} else if mine < 0 {
			mine = m.take(s.Out)
		}
	}
	m.p.at[y], m.slotOf[y] = where, mine
	m.step(Call{Node: n.Node, Sig: s, Layouts: n.lay}, where, y)
	for _, v := range n.In {
		if w := m.slotOf[v]; w >= 0 && w != mine && !m.once[v] && m.last[v] == at {
			m.slots[w].free, m.slots[w].at = true, at
		}
	}
}

func (m *planner) step(c Call, out place, value int) {
	c.In = make([]Buffer, len(c.Node.In))
	m.p.calls = append(m.p.calls, c)
	m.p.steps = append(m.p.steps, step{c.Node.In, out, value})
}

// take finds a free slot: the smallest that is large enough, else the largest,
// which grows, else a new one; of equal ones that which was used last, for the cache.
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
			if b := m.slots[best]; s.size == b.size && s.at > b.at || s.size != b.size && fits == (s.size < b.size) {
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
	type late struct {
		Call
		place
	}
	var copies []late
	for o, out := range m.p.g.Outputs {
		at, a := m.p.at[out.Value], m.args[out.Value]
		if at.kind == output && at.index == o {
			continue
		}
		n := program.Node{Op: fx.OpCopy, Attrs: []uint64{uint64(a.Type), a.Len}, In: []uint64{out.Value}, Shape: []uint64{a.Len}}
		sig := fx.Sig{In: []fx.Arg{a}, Out: a, Same: 1}
		if at.kind == input && m.p.g.Inputs[at.index].Name != out.Name {
			m.p.at, m.once = append(m.p.at, place{kind: fixed}), append(m.once, false)
			m.args, m.slotOf = append(m.args, a), append(m.slotOf, m.take(a))
			m.step(Call{Node: n, Sig: sig}, place{kind: fixed}, len(m.p.at)-1)
			n.In = []uint64{uint64(len(m.p.at) - 1)}
		}
		copies = append(copies, late{Call{Node: n, Sig: sig}, place{kind: output, index: o}})
	}
	for _, c := range copies {
		m.step(c.Call, c.place, -1)
	}
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
	for i := range m.p.steps {
		if s := &m.p.steps[i]; s.out.kind == fixed {
			s.out.buf = m.p.at[s.value].buf
		}
	}
	return nil
}

// prepare runs the steps whose values are always the same and leaves them out of the plan.
func (p *Plan) prepare(once []bool) error {
	n := 0
	for i, s := range p.steps {
		if s.out.kind == output || !once[s.value] {
			p.steps[n], p.calls[n] = s, p.calls[i]
			n++
			continue
		}
		p.bind(i, nil, nil)
		if err := p.d.Run(p.calls[i].Node, p.calls[i].In, p.calls[i].Out); err != nil {
			return fmt.Errorf("%s: %w", p.calls[i].Node.Op, err)
		}
	}
	p.steps, p.calls = p.steps[:n], p.calls[:n]
	return nil
}

// bind gives call i the buffers of this run.
func (p *Plan) bind(i int, in, out []Buffer) {
	where := func(w place) Buffer {
		switch w.kind {
		case input:
			return in[w.index]
		case output:
			return out[w.index]
		}
		return w.buf
	}
	s, c := &p.steps[i], &p.calls[i]
	for k, v := range s.in {
		c.In[k] = where(p.at[v])
	}
	c.Out = where(s.out)
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
	caller, _ := p.d.(Caller)
	for _, r := range p.runs {
		for i := r.first; i < r.end; i++ {
			p.bind(i, in, out)
		}
		var err error
		if c := &p.calls[r.first]; caller != nil {
			err = caller.RunCalls(r.parts, p.calls[r.first:r.end])
		} else {
			err = p.d.Run(c.Node, c.In, c.Out)
		}
		if err != nil {
			return fmt.Errorf("operation %d: %w", r.first, err)
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
