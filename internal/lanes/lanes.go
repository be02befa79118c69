// SPDX-License-Identifier: Apache-2.0

package lanes

// positions are the digits of one lane of a key's scalar: 64 digits, eight lanes.
const positions = 8

// coefficients are the digits of a Term's Z that may differ from zero.
const coefficients = 32

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

// Term is one signature of a sum: the encoding R, its factor Z below 2^126, and the
// factor H of the key.
type Term struct {
	R    [32]byte
	Z, H Digits
	Key  *Key
}

// Zero reports whether 8·(b·B − Σ Z·R − Σ H·A) is the neutral element, A being the
// points of the keys and B the generator. It is false too if an R encodes no point.
// Cost: about 20 µs and 4 µs per term.
func Zero(b *Digits, terms []Term) bool {
	var c cached
	var keys [positions]point // what the tables of the keys add at each position
	for at := range keys {
		keys[at] = identity()
		keys[at].key(base, b, at, &c)
	}
	for i := range terms { // one table at a time: it fits the nearest cache
		for at := range keys {
			keys[at].key(terms[i].Key, &terms[i].H, at, &c)
		}
	}
	groups := make([]group, (len(terms)+7)/8)
	top := positions
	for i := range groups {
		if !groups[i].set(terms[8*i : min(len(terms), 8*i+8)]) {
			return false
		}
		top = max(top, groups[i].top)
	}
	sum := identity()
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

// group holds eight fresh points, one per lane, and their digits by position.
type group struct {
	table  table
	digits [coefficients][8]int8
	top    int // positions in use
}

// set prepares −R of up to eight terms; false if one is no point.
func (g *group) set(terms []Term) bool {
	var enc [8][32]byte
	for l := range enc {
		enc[l][0] = 1 // the neutral element
	}
	for l := range terms {
		enc[l] = terms[l].R
		for at := range coefficients {
			if g.digits[at][l] = terms[l].Z[at]; terms[l].Z[at] != 0 {
				g.top = max(g.top, at+1)
			}
		}
	}
	var p point
	if !p.decode(&enc) {
		return false
	}
	p.x.neg(&p.x)
	p.t.neg(&p.t)
	g.table.set(&p)
	return true
}
