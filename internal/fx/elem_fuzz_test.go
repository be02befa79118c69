// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"encoding/binary"
	"errors"
	"testing"
)

// FuzzElem: a referee computes elements of operations that others described, on
// scalars that others sent. Whatever Check accepts neither panics nor reads outside
// its inputs, reads no more than it says, and stores no NaN but one.
func FuzzElem(f *testing.F) {
	add := func(op Op, attrs ...uint64) {
		b := binary.LittleEndian.AppendUint16(nil, uint16(op))
		for _, a := range attrs {
			b = binary.LittleEndian.AppendUint64(b, a)
		}
		f.Add(b, uint64(3), uint64(11))
	}
	add(OpGemm, 4, 2, 3, 5, 2, KFrom, 2)
	add(OpRedSumSq, 4, 2, 5000, 2)
	add(OpArgmax, 2, 9000, 1)
	add(OpMergePairs, uint64(F32), 2, 9, 2)
	add(OpSortPairs, uint64(I32), 2, 9, 4)
	add(OpRope, 2, 2, 4, 3)
	add(OpGather, uint64(F32), 4, 3, 2)
	add(OpPerm, 4, 100, 7)
	add(OpTopK, 1, 5, 5)
	add(OpQuantI8, 2, 9, 4)
	add(OpGemmI8, 2, 2, 9, 4)
	add(OpTranspose, uint64(I8), MaxDim, MaxDim, MaxDim, MaxLen)
	f.Fuzz(func(t *testing.T, b []byte, i, seed uint64) {
		if len(b) < 2 {
			return
		}
		op, attrs := Op(binary.LittleEndian.Uint16(b)), []uint64(nil)
		for b = b[2:]; len(b) >= 8; b = b[8:] {
			attrs = append(attrs, binary.LittleEndian.Uint64(b))
		}
		s, err := Check(op, attrs)
		if err != nil {
			if !errors.Is(err, ErrOp) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if s.Reads > 4*MaxReads {
			return // no referee computes it whole
		}
		reads := uint64(0)
		got := Elem(op, attrs, i%s.Out.Len, func(k int, at uint64) uint32 {
			if at >= s.In[k].Len {
				t.Fatalf("%s %d reads element %d of input %d, which has %d", op, attrs, at, k, s.In[k].Len)
			}
			reads++
			w := Philox([2]uint32{uint32(seed), uint32(seed >> 32)}, [4]uint32{uint32(at), uint32(at >> 32), uint32(k), 0})
			switch {
			case s.In[k].Type == I8:
				return uint32(int32(int8(w[0])))
			case w[1]&3 == 0:
				return w[0] & 7
			}
			return w[0]
		})
		if reads > s.Reads {
			t.Fatalf("%s %d reads %d scalars, its signature says %d", op, attrs, reads, s.Reads)
		}
		if s.Out.Type == F32 && got != Bits(fromBits(got)) {
			t.Fatalf("%s %d gives the NaN %08x", op, attrs, got)
		}
		if s.Out.Type == I8 && int32(got) != int32(int8(got)) {
			t.Fatalf("%s %d gives the code %08x", op, attrs, got)
		}
	})
}

// fromBits is f under a name that the fuzz function does not hide.
func fromBits(b uint32) float32 { return f(b) }
