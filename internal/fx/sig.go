// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"fmt"
	"math/bits"
	"strings"
)

// Bounds of operations.
const (
	// MaxDim bounds every attribute that is a dimension, so that an index fits an int32.
	MaxDim = 1<<31 - 1
	// MaxLen bounds the elements of one tensor.
	MaxLen = 1 << 36
	// MaxReads is how many input scalars a primitive without a chain may read for
	// one output element if a referee is to compute it: 4,096 and a limit (OP-02).
	MaxReads = 4096 + 1
	// MaxDotI8 bounds k of integer products of codes, MaxDistI8 of squared
	// distances: their sums fit an int32 (FX-07).
	MaxDotI8, MaxDistI8 = 131_072, 32_768
)

// Arg is the type and the number of elements of one tensor.
type Arg struct {
	Type Type
	Len  uint64
}

// Sig is what an operation with its attributes takes and gives.
type Sig struct {
	// In are the inputs in order, Out the one output.
	In  []Arg
	Out Arg
	// Reads is the most input scalars that one output element reads. It is above
	// MaxReads for what only devices run, never a referee, unless Terms > 0.
	Reads uint64
	// Terms is the length of the chain behind one element, 0 if it has none. A
	// referee computes part of a chain by Chain (DSP-05).
	Terms uint64
	// Same has bit k set if an element of input k is read only for the output
	// element of the same index and has the same size: only there may the output
	// take the input's memory.
	Same uint64
	// Cost is the work of the whole operation.
	Cost Cost
}

// Cost counts the work of an operation: FMA binary32 multiply-adds and other
// roundings of that order, MAC int8 multiply-adds, Bytes read and written once.
// It is the market's unit (OP-01). Sums saturate at 2⁶⁴−1.
type Cost struct {
	FMA, MAC, Bytes uint64
}

// Plus returns the sum of both, saturating.
func (c Cost) Plus(d Cost) Cost {
	return Cost{addSat(c.FMA, d.FMA), addSat(c.MAC, d.MAC), addSat(c.Bytes, d.Bytes)}
}

func addSat(a, b uint64) uint64 {
	if s, carry := bits.Add64(a, b, 0); carry == 0 {
		return s
	}
	return ^uint64(0)
}

func mulSat(a, b uint64) uint64 {
	if hi, lo := bits.Mul64(a, b); hi == 0 {
		return lo
	}
	return ^uint64(0)
}

// Check verifies the number and the bounds of the attributes and returns what
// follows from them. Every dimension is in 1 … MaxDim (flat lengths, len, width,
// a, b and inner: MaxLen), every tensor at most MaxLen elements. Cost: no loops over attributes' values. Errors: ErrOp, in words
// that name the operation and the attribute. Spec: OP-02.
func Check(op Op, attrs []uint64) (Sig, error) {
	r := op.row()
	if r == nil {
		return Sig{}, fmt.Errorf("%w: unknown operation %d", ErrOp, uint16(op))
	}
	if n := len(strings.Fields(r.attrs)); n != len(attrs) {
		return Sig{}, fmt.Errorf("%w: %s has %d attributes [%s], not %d", ErrOp, r.name, n, r.attrs, len(attrs))
	}
	names := r.attrs
	for i, v := range attrs {
		name := names
		if j := strings.IndexByte(names, ' '); j >= 0 {
			name, names = names[:j], names[j+1:]
		}
		lo, hi := bound(name)
		if v < lo || v > hi {
			return Sig{}, fmt.Errorf("%w: %s: attribute %d, %s, is %d and not in %d..%d", ErrOp, r.name, i, name, v, lo, hi)
		}
	}
	s, err := r.sig(attrs)
	if err == nil {
		err = s.checkLengths()
	}
	if err != nil {
		return Sig{}, fmt.Errorf("%w: %s: %v", ErrOp, r.name, err)
	}
	s.finish(op)
	return s, nil
}

// bound is the range of an attribute by its name.
func bound(name string) (lo, hi uint64) {
	switch name {
	case "type":
		return uint64(F32), uint64(BF16)
	case "limit":
		return NoLimit, KFrom
	case "block":
		return 0, 1
	case "ma", "mb", "mc", "mg":
		return Full, One
	case "bits", "c", "β1", "β2", "ε", "wd", "base", "stream", "purpose":
		return 0, 1<<32 - 1
	case "seed":
		return 0, ^uint64(0)
	case "heads":
		return 0, MaxDim
	case "first":
		return 0, MaxLen
	case "len", "width", "a", "b", "inner":
		return 1, MaxLen
	}
	return 1, MaxDim
}

// tooLong stands for a length above MaxLen; it survives products.
const tooLong = ^uint64(0)

// vol is the product of dimensions, tooLong if it exceeds MaxLen.
func vol(dims ...uint64) uint64 {
	n := uint64(1)
	for _, d := range dims {
		hi, lo := bits.Mul64(n, d)
		if hi != 0 || lo > MaxLen {
			return tooLong
		}
		n = lo
	}
	return n
}

func (s *Sig) checkLengths() error {
	for i, a := range s.In {
		if a.Len > MaxLen {
			return fmt.Errorf("input %d would have more than %d elements", i, uint64(MaxLen))
		}
	}
	if s.Out.Len > MaxLen {
		return fmt.Errorf("the output would have more than %d elements", uint64(MaxLen))
	}
	return nil
}

// finish fills in what is the same for all operations. Memory may only be shared
// by elements of one size.
func (s *Sig) finish(op Op) {
	s.Cost.Bytes = mulSat(s.Out.Len, s.Out.Type.Size())
	for k, a := range s.In {
		s.Cost.Bytes = addSat(s.Cost.Bytes, mulSat(a.Len, a.Type.Size()))
		if a.Len != s.Out.Len || a.Type.Size() != s.Out.Type.Size() {
			s.Same &^= 1 << k
		}
	}
	if s.Reads == 0 {
		s.Reads = uint64(len(s.In))
	}
	if s.Cost.FMA == 0 && s.Cost.MAC == 0 {
		s.Cost.FMA = s.Out.Len
	}
}

// Elem computes one element of the output of op from the inputs' elements that
// read gives: the definition of every operation, the one that a referee runs.
// The result has the form of Read. attrs must have passed Check and i must be
// below Sig.Out.Len.
//
// Cost: Sig.Reads calls of read and about 10 ns for each; no allocation, except
// by OpSortPairs and OpTopK. Spec: OP-02.
func Elem(op Op, attrs []uint64, i uint64, read Read) uint32 {
	r := op.row()
	if r.chain != nil {
		return r.chain(attrs, i, 0, MaxLen, 0, read)
	}
	return r.elem(attrs, i, read)
}

// Chain computes terms from … to−1 of the chain behind element i on top of the
// accumulator acc, in the form of Read; from term 0 on, acc is 0. Terms past the
// end or outside the element's limits do nothing. Elem is Chain over all Sig.Terms, so posted
// accumulators cut a long chain into checkable parts. op must be one with
// Sig.Terms > 0. Spec: FX-03, DSP-05.
func Chain(op Op, attrs []uint64, i, from, to uint64, acc uint32, read Read) uint32 {
	return op.row().chain(attrs, i, from, to, acc, read)
}

// Form is an operation with its attributes, ready to compute many elements.
type Form struct {
	Sig
	row   *opRow
	attrs []uint64
}

// NewForm checks like Check and returns the form. attrs is kept. Errors: ErrOp.
func NewForm(op Op, attrs []uint64) (Form, error) {
	s, err := Check(op, attrs)
	return Form{Sig: s, row: op.row(), attrs: attrs}, err
}

// Elem is the function Elem of this form, faster in loops.
func (f Form) Elem(i uint64, read Read) uint32 {
	if f.row.chain != nil {
		return f.row.chain(f.attrs, i, 0, f.Terms, 0, read)
	}
	return f.row.elem(f.attrs, i, read)
}
