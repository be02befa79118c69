// SPDX-License-Identifier: Apache-2.0

package payout

import (
	"math/big"

	"github.com/openledger/openledger/poa"
)

// MaxWeights bounds the weights of one file.
const MaxWeights = 1 << 22

// File is a parsed weights file.
type File struct {
	Weights []*big.Int // in units of 2^−40, signed
	Owners  []string   // by weight, nil unless the file names them
}

// ParseFile reads a weights file: [w, …], {"weights": [w, …]} or
// {"owner": w, …}. A weight is an exact decimal; it is kept times 2^40, halves
// to even, so integers stay exact. Errors: poa.ScanError with the place.
// Spec: OFF-01.
func ParseFile(b []byte) (File, error) {
	s := poa.NewScanner(b)
	var f File
	var err error
	switch s.Peek() {
	case '[':
		f.Weights, err = weightList(s)
	case '{':
		f, err = weightObject(s)
	default:
		return File{}, s.Fail(s.Offset(), "expected a JSON array or object of weights")
	}
	if err != nil {
		return File{}, err
	}
	if err := s.End(); err != nil {
		return File{}, err
	}
	if len(f.Weights) == 0 {
		return File{}, s.Fail(0, "no weights")
	}
	return f, nil
}

func weightList(s *poa.Scanner) ([]*big.Int, error) {
	if err := s.Expect('['); err != nil {
		return nil, err
	}
	var w []*big.Int
	for {
		more, err := s.More(len(w) == 0, ']')
		if err != nil || !more {
			return w, err
		}
		n, err := weight(s, len(w))
		if err != nil {
			return nil, err
		}
		w = append(w, n)
	}
}

func weight(s *poa.Scanner, have int) (*big.Int, error) {
	if have == MaxWeights {
		return nil, s.Fail(s.Offset(), "more than %d weights", MaxWeights)
	}
	n, err := s.Number()
	if err != nil {
		return nil, err
	}
	return scale40(n), nil
}

func weightObject(s *poa.Scanner) (File, error) {
	var f File
	if err := s.Expect('{'); err != nil {
		return f, err
	}
	seen := map[string]bool{}
	for {
		more, err := s.More(len(seen) == 0, '}')
		if err != nil || !more {
			return f, err
		}
		s.Peek()
		at := s.Offset()
		name, err := s.Text()
		if err != nil {
			return f, err
		}
		if seen[name] {
			return f, s.Fail(at, "%q appears twice", name)
		}
		seen[name] = true
		if err := s.Expect(':'); err != nil {
			return f, err
		}
		if s.Peek() == '[' && name == "weights" && len(seen) == 1 {
			return weightMember(s)
		}
		w, err := weight(s, len(f.Weights))
		if err != nil {
			return f, err
		}
		f.Weights, f.Owners = append(f.Weights, w), append(f.Owners, name)
	}
}

// weightMember reads the rest of {"weights": […]}.
func weightMember(s *poa.Scanner) (File, error) {
	w, err := weightList(s)
	if err != nil {
		return File{}, err
	}
	return File{Weights: w}, s.Expect('}')
}

// scale40 returns n·2^40, halves to even.
func scale40(n poa.Number) *big.Int {
	if n.Exp >= 0 {
		v := n.Scaled(0)
		return v.Lsh(v, 40)
	}
	v := n.Scaled(-n.Exp)
	v.Lsh(v, 40)
	return roundHalfEven(v, poa.Pow10(-n.Exp))
}

// roundHalfEven returns the integer nearest to num/den, den > 0.
func roundHalfEven(num, den *big.Int) *big.Int {
	q, r := new(big.Int).DivMod(num, den, new(big.Int)) // r ≥ 0
	switch c := r.Lsh(r, 1).Cmp(den); {
	case c > 0, c == 0 && q.Bit(0) == 1:
		q.Add(q, big.NewInt(1))
	}
	return q
}

// Split is the outcome of dividing a pool by a File.
type Split struct {
	Payouts     []*big.Int // by weight
	Total       *big.Int   // Σ Payouts
	Unallocated *big.Int   // the pool if no weight is positive, else 0
	Clipped     []int      // indices of negative weights
}

// Divide splits pool ≥ 0 by Hamilton, negative weights clipped to 0.
// Spec: SHR-01, SHR-02, OFF-01.
func (f File) Divide(pool *big.Int) Split {
	out := Split{Payouts: Hamilton(pool, f.Weights), Total: new(big.Int), Clipped: []int{}}
	for i, p := range out.Payouts {
		out.Total.Add(out.Total, p)
		if f.Weights[i].Sign() < 0 {
			out.Clipped = append(out.Clipped, i)
		}
	}
	out.Unallocated = new(big.Int).Sub(pool, out.Total)
	return out
}
