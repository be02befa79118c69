// SPDX-License-Identifier: Apache-2.0

package lanes

// positions are the digits of one lane of a key's scalar: 64 digits, eight lanes.
const positions = 8

// Ready reports whether this processor has the instructions that make the package
// worth using. Without them everything works, slowly.
func Ready() bool { return fast }

// Key is a point prepared for many sums: lane l holds the multiples of 2^(32·l)
// times the point. 11.5 KiB.
type Key struct{ table table }

// Digits are those of a number in base 16, each −8 to 8, the least first.
type Digits = [64]int8

// base is the generator of the prime-order subgroup.
var base = prepare([32]byte{0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66}, false)

// NewKey prepares the negative of the point that pk encodes, by the rules of
// ZIP-215; nil if it encodes none. Cost: as much as checking a signature.
func NewKey(pk [32]byte) *Key { return prepare(pk, true) }

func prepare(pk [32]byte, negate bool) *Key {
	var p point
	if !p.decode(&[8][32]byte{pk, pk, pk, pk, pk, pk, pk, pk}) {
		return nil
	}
	if negate {
		p.x.neg(&p.x)
		p.t.neg(&p.t)
	}
	lanes := p
	for l := 1; l < 8; l++ {
		p.double(4 * positions)
		for i := range 5 {
			lanes.x[i][l], lanes.y[i][l], lanes.z[i][l], lanes.t[i][l] = p.x[i][l], p.y[i][l], p.z[i][l], p.t[i][l]
		}
	}
	k := new(Key)
	k.table.set(&lanes)
	return k
}

// Term is one signature of a sum: the encoding R and its factor Z below 2^126, and
// the factor H of the point A, prepared as Key or, if that is nil, encoded.
type Term struct {
	R, A [32]byte
	Z, H Digits
	Key  *Key
}

// MaxTerms bounds the terms of one sum, so that its tables fit a cache.
const MaxTerms = 64

// Zero reports whether 8·(b·B − Σ Z·R − Σ H·A) is the neutral element, B being the
// generator. It is false too if an encoding is that of no point. Cost: about 40 µs
// and 8 µs per term; less if all points A are prepared. It panics above MaxTerms.
func Zero(b *Digits, terms []Term) bool {
	if len(terms) > MaxTerms {
		panic("lanes: too many terms")
	}
	groups := make([]group, 0, 2*((len(terms)+7)/8))
	var keys [positions]point // what the tables of the keys add at each position
	var c cached
	for at := range keys {
		keys[at] = identity()
		keys[at].key(base, b, at, &c)
	}
	for i := 0; i < len(terms); i += 8 {
		var r, a fresh
		for k := i; k < min(len(terms), i+8); k++ {
			t := &terms[k]
			if r.add(&t.R, &t.Z); t.Key == nil {
				a.add(&t.A, &t.H)
				continue
			}
			for at := range keys { // one table at a time: it fits the nearest cache
				keys[at].key(t.Key, &t.H, at, &c)
			}
		}
		for _, f := range []*fresh{&r, &a} {
			if f.n == 0 {
				continue
			}
			groups = append(groups, group{})
			if !groups[len(groups)-1].set(f) {
				return false
			}
		}
	}
	return total(&keys, groups)
}

// total adds everything up, the highest position first.
func total(keys *[positions]point, groups []group) bool {
	top := positions
	for i := range groups {
		top = max(top, groups[i].top)
	}
	sum, c := identity(), cached{}
	for at := top - 1; at >= 0; at-- {
		if at < top-1 {
			sum.double(4)
		}
		for i := range groups {
			if g := &groups[i]; at < g.top {
				c.pick(&g.table, &g.digits[at])
				sum.add(&c)
			}
		}
		if at < positions {
			c.set(&keys[at])
			sum.add(&c)
		}
	}
	return sum.fold()
}

// ZeroOne is Zero for one term with Z = 1, of which it reads R, H and Key. Cost:
// about half of what checking a signature costs elsewhere.
func ZeroOne(b *Digits, t *Term) bool {
	var p point
	if !p.decode(&[8][32]byte{t.R, {1}, {1}, {1}, {1}, {1}, {1}, {1}}) { // the others are the neutral element
		return false
	}
	p.x.neg(&p.x)
	p.t.neg(&p.t)
	var c cached
	sum := identity()
	for at := positions - 1; at >= 0; at-- {
		if at < positions-1 {
			sum.double(4)
		}
		sum.key(t.Key, &t.H, at, &c)
		sum.key(base, b, at, &c)
	}
	c.set(&p)
	sum.add(&c)
	return sum.fold()
}

// key adds what the digits at a position of all lanes stand for.
func (p *point) key(k *Key, digits *Digits, at int, c *cached) {
	var now [8]int8
	for l := range now {
		now[l] = digits[positions*l+at]
	}
	c.pick(&k.table, &now)
	p.add(c)
}

// fold adds the lanes and reports whether eight times the sum is the neutral
// element.
func (p *point) fold() bool {
	var c cached
	for _, far := range []int{4, 2, 1} {
		var q point
		for i := range 5 {
			for l := range 8 {
				q.x[i][l], q.y[i][l], q.z[i][l], q.t[i][l] = p.x[i][l^far], p.y[i][l^far], p.z[i][l^far], p.t[i][l^far]
			}
		}
		c.set(&q)
		p.add(&c)
	}
	p.double(3)
	return p.x.zero(0) && p.y.canon(0) == p.z.canon(0)
}

// fresh are up to eight encoded points and their factors.
type fresh struct {
	n   int
	enc [8][32]byte
	by  [8]*Digits
}

func (f *fresh) add(enc *[32]byte, by *Digits) {
	f.enc[f.n], f.by[f.n] = *enc, by
	f.n++
}

// group is the negatives of up to eight fresh points, one per lane, and their digits
// by position.
type group struct {
	table  table
	digits [64][8]int8
	top    int // positions in use
}

// set fills g; false if an encoding is that of no point.
func (g *group) set(f *fresh) bool {
	for l := range f.n {
		for at, d := range f.by[l] {
			if g.digits[at][l] = d; d != 0 {
				g.top = max(g.top, at+1)
			}
		}
	}
	for l := f.n; l < 8; l++ {
		f.enc[l] = [32]byte{1} // the neutral element
	}
	var p point
	if !p.decode(&f.enc) {
		return false
	}
	p.x.neg(&p.x)
	p.t.neg(&p.t)
	g.table.set(&p)
	return true
}
