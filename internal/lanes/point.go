// SPDX-License-Identifier: Apache-2.0

package lanes

// point holds eight points of edwards25519 in extended coordinates: x = X/Z,
// y = Y/Z, xy = T/Z.
type point struct{ x, y, z, t fe }

// cached is a point ready to be added: Y+X, Y−X, 2dT, 2Z. The order is known to
// pickAsm.
type cached struct{ yp, ym, t2, z2 fe }

// table holds 0 to 8 times a point, per lane.
type table [9]cached

var (
	one    = all([5]uint64{1})
	d      = all([5]uint64{0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff})
	d2     = all([5]uint64{0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff})
	sqrtM1 = all([5]uint64{0x61b274a0ea0b0, 0xd5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e, 0x2b8324804fc1d})
)

func identity() point { return point{y: one, z: one} }

// add sets p = p + c. The formulas hold for all points of the curve.
func (p *point) add(c *cached) {
	var a, b, cc, dd, e, f, g, h fe
	a.sub(&p.y, &p.x)
	a.mul(&a, &c.ym)
	b.add(&p.y, &p.x)
	b.mul(&b, &c.yp)
	cc.mul(&p.t, &c.t2)
	dd.mul(&p.z, &c.z2)
	e.sub(&b, &a)
	f.sub(&dd, &cc)
	g.add(&dd, &cc)
	h.add(&b, &a)
	p.x.mul(&e, &f)
	p.y.mul(&g, &h)
	p.z.mul(&f, &g)
	p.t.mul(&e, &h)
}

// double sets p = 2^n·p, n at least 1.
func (p *point) double(n int) {
	var a, b, c, e, f, g, h fe
	for ; n > 0; n-- {
		a.sqr(&p.x, 1)
		b.sqr(&p.y, 1)
		c.sqr(&p.z, 1)
		c.add(&c, &c)
		h.add(&a, &b)
		e.add(&p.x, &p.y)
		e.sqr(&e, 1)
		e.sub(&h, &e)
		g.sub(&a, &b)
		f.add(&c, &g)
		p.x.mul(&e, &f)
		p.y.mul(&g, &h)
		p.z.mul(&f, &g)
	}
	p.t.mul(&e, &h) // of the last one: doubling does not read it
}

// cache sets c to p.
func (c *cached) set(p *point) {
	c.yp.add(&p.y, &p.x)
	c.ym.sub(&p.y, &p.x)
	c.t2.mul(&p.t, &d2)
	c.z2.add(&p.z, &p.z)
}

// set fills t with the multiples of p.
func (t *table) set(p *point) {
	id := identity()
	t[0].set(&id)
	t[1].set(p)
	q := *p
	for i := 2; i < len(t); i++ {
		q.add(&t[1])
		t[i].set(&q)
	}
}

// pick sets c, lane by lane, to digits[l] times the point of t, digits −8 to 8.
func (c *cached) pick(t *table, digits *[8]int8) {
	if fast {
		pickAsm(c, t, digits)
		return
	}
	pickPlain(c, t, digits)
}

func pickPlain(c *cached, t *table, digits *[8]int8) {
	for l, v := range digits {
		e := &t[max(v, -v)]
		for i := range 5 {
			yp, ym, t2 := e.yp[i][l], e.ym[i][l], e.t2[i][l]
			if v < 0 {
				yp, ym, t2 = ym, yp, twoP[i]-t2
			}
			c.yp[i][l], c.ym[i][l], c.t2[i][l], c.z2[i][l] = yp, ym, t2, e.z2[i][l]
		}
	}
}

// decode sets p to the points that the encodings name, and reports whether all
// do. An encoded y may be above the modulus, and zero may have either sign
// (ZIP-215).
func (p *point) decode(list *[8][32]byte) bool {
	for l := range list {
		p.y.set(l, &list[l])
	}
	var u, v, v3, x, check, r fe
	u.sqr(&p.y, 1)
	v.mul(&u, &d)
	u.sub(&u, &one)
	v.add(&v, &one)
	v3.sqr(&v, 1)
	v3.mul(&v3, &v)
	x.sqr(&v3, 1)
	x.mul(&x, &v)
	x.mul(&x, &u)
	x.pow22523(&x) // (u·v^7)^((p−5)/8)
	x.mul(&x, &v3)
	x.mul(&x, &u)
	check.sqr(&x, 1)
	check.mul(&check, &v)
	r.mul(&x, &sqrtM1)
	for l := range list {
		c, w := check.canon(l), u.canon(l)
		if c != w {
			sum := fe{}
			sum.lane(&check, &u, l)
			if !sum.zero(l) {
				return false
			}
			for i := range 5 {
				x[i][l] = r[i][l]
			}
		}
		if root := x.canon(l); byte(root[0]&1) != list[l][31]>>7 {
			for i := range 5 {
				x[i][l] = twoP[i] - x[i][l]
			}
		}
	}
	p.x, p.z = x, one
	p.t.mul(&p.x, &p.y)
	return true
}

// lane sets lane l of o to a + b.
func (o *fe) lane(a, b *fe, l int) {
	var s [5]uint64
	for i := range s {
		s[i] = a[i][l] + b[i][l]
	}
	carry(o, l, s)
}

// pow22523 sets o = a^(2^252 − 3).
func (o *fe) pow22523(a *fe) {
	var t0, t1, t2 fe
	t0.sqr(a, 1)
	t1.sqr(&t0, 2)
	t1.mul(a, &t1)
	t0.mul(&t0, &t1)
	t0.sqr(&t0, 1)
	t0.mul(&t1, &t0) // 2^5 − 1
	t1.sqr(&t0, 5)
	t0.mul(&t1, &t0) // 2^10 − 1
	t1.sqr(&t0, 10)
	t1.mul(&t1, &t0) // 2^20 − 1
	t2.sqr(&t1, 20)
	t1.mul(&t2, &t1) // 2^40 − 1
	t1.sqr(&t1, 10)
	t0.mul(&t1, &t0) // 2^50 − 1
	t1.sqr(&t0, 50)
	t1.mul(&t1, &t0) // 2^100 − 1
	t2.sqr(&t1, 100)
	t1.mul(&t2, &t1) // 2^200 − 1
	t1.sqr(&t1, 50)
	t0.mul(&t1, &t0) // 2^250 − 1
	t0.sqr(&t0, 2)
	o.mul(&t0, a)
}
