// SPDX-License-Identifier: Apache-2.0

package game

import (
	"math/big"

	"github.com/openledger/openledger/poa"
)

// MaxMagnitude bounds values to below 10^MaxMagnitude, so that every result
// has a binary64 text.
const MaxMagnitude = 300

// Parse reads {"n": players, "v": [2^n values]} with the keys in any order.
// Values are exact decimals: at most 400 places after the point. Memory: 8
// bytes a value and 19 digits. Spec: GAM-01, OFF-01. Errors: poa.ScanError.
func Parse(b []byte) (*Table, error) {
	s := poa.NewScanner(b)
	p := parser{s: s, n: -1, list: -1}
	if err := p.object(); err != nil {
		return nil, err
	}
	if err := s.End(); err != nil {
		return nil, err
	}
	switch {
	case p.n < 0:
		return nil, s.Fail(0, `"n" is missing`)
	case p.list < 0:
		return nil, s.Fail(0, `"v" is missing`)
	case p.count != 1<<p.n:
		return nil, s.Fail(p.list, `"v" has %d values, %d players need %d`, p.count, p.n, 1<<p.n)
	}
	return p.table()
}

type parser struct {
	s      *poa.Scanner
	n      int
	list   int // offset of the list
	count  int
	places int // most digits after the point
	whole  int // most digits before it, at least 0
}

func (p *parser) object() error {
	if err := p.s.Expect('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := p.s.More(first, '}')
		if err != nil || !more {
			return err
		}
		p.s.Peek()
		at := p.s.Offset()
		key, err := p.s.Text()
		if err != nil {
			return err
		}
		if err := p.s.Expect(':'); err != nil {
			return err
		}
		switch {
		case key == "n" && p.n < 0:
			err = p.players()
		case key == "v" && p.list < 0:
			err = p.values()
		case key == "n" || key == "v":
			err = p.s.Fail(at, "%q appears twice", key)
		default:
			err = p.s.Fail(at, `unknown key %.24q, expected "n" and "v"`, key)
		}
		if err != nil {
			return err
		}
	}
}

func (p *parser) players() error {
	p.s.Peek()
	at := p.s.Offset()
	x, err := p.s.Number()
	if err != nil {
		return err
	}
	v, ok := x.Small(0)
	if !ok || v < 1 || v > MaxPlayers {
		return p.s.Fail(at, `"n" must be an integer from 1 to %d`, MaxPlayers)
	}
	p.n = int(v)
	return nil
}

// values checks the list and measures its numbers, without keeping them.
func (p *parser) values() error {
	p.s.Peek()
	p.list = p.s.Offset()
	if err := p.s.Expect('['); err != nil {
		return err
	}
	for {
		more, err := p.s.More(p.count == 0, ']')
		if err != nil || !more {
			return err
		}
		p.s.Peek()
		at := p.s.Offset()
		if p.count == 1<<MaxPlayers {
			return p.s.Fail(at, "more than %d values", 1<<MaxPlayers)
		}
		x, err := p.s.Number()
		if err != nil {
			return err
		}
		if x.Exp+x.Len > MaxMagnitude {
			return p.s.Fail(at, "the value is not below 1e%d", MaxMagnitude)
		}
		p.places = max(p.places, -x.Exp)
		p.whole = max(p.whole, x.Exp+x.Len)
		p.count++
	}
}

// table reads the list again, now that the widths are known.
func (p *parser) table() (*Table, error) {
	t := &Table{n: p.n, scale: p.places}
	digits := p.whole + p.places
	t.words = 1
	if digits > 18 {
		t.words = poa.Pow10(digits).BitLen()/64 + 1 // and a sign
	}
	if t.words > maxWords>>p.n {
		return nil, p.s.Fail(p.list, "values of %d digits need more than 512 MiB with %d players", digits, p.n)
	}
	t.v = make([]uint64, t.words<<p.n)
	p.s.Seek(p.list + 1)
	for i := range 1 << p.n {
		if _, err := p.s.More(i == 0, ']'); err != nil {
			return nil, err
		}
		x, err := p.s.Number()
		if err != nil {
			return nil, err
		}
		w := t.v[i*t.words : (i+1)*t.words]
		if small, ok := x.Small(t.scale); ok {
			put64(w, small)
		} else {
			put(w, x.Scaled(t.scale))
		}
	}
	return t, nil
}

func put64(w []uint64, v int64) {
	w[0] = uint64(v)
	for i := 1; i < len(w); i++ {
		w[i] = uint64(v >> 63)
	}
}

// rat returns num/(den·Scale).
func (t *Table) rat(num, den *big.Int) *big.Rat {
	return new(big.Rat).SetFrac(num, new(big.Int).Mul(den, t.Scale()))
}
