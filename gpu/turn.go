// SPDX-License-Identifier: Apache-2.0

package gpu

import (
	"slices"

	"github.com/openledger/openledger/internal/fx"
)

// Dim is one dimension of a Layout: Size indices, Stride elements apart.
type Dim struct{ Size, Stride uint64 }

// Layout says where the elements of a tensor stand in a buffer: the dimensions of
// the tensor from the outermost to the innermost. The strides are those of the
// dimensions of the whole buffer in any order, so that every element of the buffer
// is one of the tensor.
type Layout []Dim

// Contiguous is the layout of a buffer in row-major order.
func Contiguous(shape ...uint64) Layout {
	l, stride := make(Layout, len(shape)), uint64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		l[i] = Dim{shape[i], stride}
		stride *= shape[i]
	}
	return l
}

// At is where the element with this number stands, counted in row-major order over
// the dimensions.
func (l Layout) At(i uint64) uint64 {
	var at uint64
	for k := len(l) - 1; k >= 0; k-- {
		at += i % l[k].Size * l[k].Stride
		i /= l[k].Size
	}
	return at
}

// split returns the dimensions of l as one list for each size, or false where a size
// does not end at the border of dimensions. Dimensions of one index are left out.
func (l Layout) split(sizes ...uint64) ([]Layout, bool) {
	parts, rest := make([]Layout, len(sizes)), slices.Clone(l)
	for i := len(sizes) - 1; i >= 0; i-- {
		for need := sizes[i]; need > 1; {
			for len(rest) > 0 && rest[len(rest)-1].Size == 1 {
				rest = rest[:len(rest)-1]
			}
			if len(rest) == 0 {
				return nil, false
			}
			d := &rest[len(rest)-1]
			n := min(need, d.Size)
			if need%n != 0 || d.Size%n != 0 {
				return nil, false
			}
			parts[i] = slices.Insert(parts[i], 0, Dim{n, d.Stride})
			need /= n
			*d = Dim{d.Size / n, d.Stride * n}
		}
	}
	return parts, true
}

// join makes neighbouring dimensions one where they can be.
func (l Layout) join() Layout {
	var out Layout
	for _, d := range l {
		if n := len(out); n > 0 && out[n-1].Stride == d.Size*d.Stride {
			out[n-1] = Dim{out[n-1].Size * d.Size, d.Stride}
			continue
		}
		out = append(out, d)
	}
	return out
}

// transpose exchanges the two middle ones of four dimensions.
func (l Layout) transpose(batch, rows, cols, inner uint64) (Layout, bool) {
	p, ok := l.split(batch, rows, cols, inner)
	if !ok {
		return nil, false
	}
	return slices.Concat(p[0], p[2], p[1], p[3]), true
}

// matrices returns l as a batch of matrices whose elements are neighbours in one
// direction.
func (l Layout) matrices(batch, rows, cols uint64) (Layout, bool) {
	p, ok := l.split(batch, rows, cols)
	if !ok {
		return nil, false
	}
	r, c := p[1].join(), p[2].join()
	if len(r) > 1 || len(c) > 1 {
		return nil, false
	}
	if len(c) == 0 {
		c = Layout{{1, 1}}
	}
	if len(r) == 0 {
		r = Layout{{1, cols}}
		if c[0].Stride > 1 {
			r[0].Stride = 1
		}
	}
	return slices.Concat(p[0].join(), r, c), r[0].Stride == 1 || c[0].Stride == 1
}

// turn lets products read through transposes and write through them. Transposes that
// nobody reads any more are not run.
func (m *planner) turn() {
	readers := make([]int, len(m.args))
	for i := range m.nodes {
		for _, v := range m.nodes[i].In {
			readers[v]++
		}
	}
	for _, o := range m.p.g.Outputs {
		readers[o.Value]++
	}
	for i := range m.nodes {
		n := &m.nodes[i]
		switch {
		case n.Op == fx.OpGemm:
			batch, group := n.Attrs[0], n.Attrs[4]
			m.read(n, 0, batch, n.Attrs[1], n.Attrs[3])
			m.read(n, 1, batch/group, n.Attrs[2], n.Attrs[3])
		case n.turns() && readers[n.In[0]] == 1:
			m.write(i)
		}
	}
}

// turns reports whether a node only moves numbers to other places.
func (n *work) turns() bool { return n.Op == fx.OpTranspose && n.Attrs[0] == uint64(fx.F32) }

// read lets a product read operand k where the first of the transposes that lead to
// it reads, as far as the layouts allow.
func (m *planner) read(n *work, k int, batch, rows, cols uint64) {
	var chain []*work // from the operand backwards
	for v := n.In[k]; v >= uint64(len(m.p.g.Inputs)); {
		t := &m.nodes[v-uint64(len(m.p.g.Inputs))]
		if !t.turns() {
			break
		}
		chain, v = append(chain, t), t.In[0]
	}
	for ; len(chain) > 0; chain = chain[:len(chain)-1] {
		src := chain[len(chain)-1].In[0]
		l, ok := Contiguous(m.args[src].Len), true
		for i := len(chain) - 1; ok && i >= 0; i-- {
			a := chain[i].Attrs
			l, ok = l.transpose(a[1], a[2], a[3], a[4])
		}
		if ok {
			l, ok = l.matrices(batch, rows, cols)
		}
		if ok {
			n.reads(k, src)
			n.lay[k] = l
			return
		}
	}
}

// write makes transpose i the product whose result it turns, if it can be.
func (m *planner) write(i int) {
	t, v := &m.nodes[i], m.nodes[i].In[0]
	if v < uint64(len(m.p.g.Inputs)) {
		return
	}
	n := m.nodes[v-uint64(len(m.p.g.Inputs))]
	if n.Op != fx.OpGemm {
		return
	}
	a := t.Attrs
	l, ok := Contiguous(a[1], a[3], a[2], a[4]).transpose(a[1], a[3], a[2], a[4])
	if ok {
		l, ok = l.matrices(n.Attrs[0], n.Attrs[1], n.Attrs[2])
	}
	if ok && l[len(l)-1].Stride == 1 {
		n.lay[2] = l
		m.nodes[i], m.sigs[i] = n, m.sigs[v-uint64(len(m.p.g.Inputs))]
	}
}

// reads makes input k of the node the value v; the graph keeps its list.
func (n *work) reads(k int, v uint64) {
	n.In = slices.Clone(n.In)
	n.In[k] = v
}
