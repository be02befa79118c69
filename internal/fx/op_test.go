// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"errors"
	"strings"
	"testing"
)

func TestOP02TheTableIsComplete(t *testing.T) {
	names, last := map[string]bool{}, Op(0)
	for _, op := range Ops() {
		r := op.row()
		if op <= last || names[r.name] || (r.elem == nil) == (r.chain == nil) || r.sig == nil {
			t.Errorf("%d %s: out of order, named twice, or without a definition", op, op)
		}
		names[r.name], last = true, op
		if again, err := OpOf(op.String()); err != nil || again != op {
			t.Errorf("%s is found as %v: %v", op, again, err)
		}
	}
	if len(names) != 62 {
		t.Errorf("%d operations, want 62", len(names))
	}
	if _, err := OpOf("conv"); !errors.Is(err, ErrOp) {
		t.Errorf("an unknown name gives %v", err)
	}
}

func TestOP02AttributesAreBounded(t *testing.T) {
	for _, c := range []struct {
		name  string
		op    Op
		attrs []uint64
		want  string
	}{
		{"an operation that does not exist", 9999, nil, "unknown operation 9999"},
		{"too few attributes", OpExp, nil, "exp has 1 attributes [len], not 0"},
		{"too many attributes", OpExp, []uint64{1, 2}, "exp has 1 attributes [len], not 2"},
		{"a length of zero", OpExp, []uint64{0}, "attribute 0, len, is 0"},
		{"a length above the bound", OpExp, []uint64{MaxLen + 1}, "attribute 0, len"},
		{"a tensor above the bound", OpAdd, []uint64{1 << 30, 1 << 30, Full, Full}, "more than"},
		{"a product that wraps", OpTranspose, []uint64{1, MaxDim, MaxDim, MaxDim, MaxLen}, "more than"},
		{"a mode that does not exist", OpAdd, []uint64{2, 2, 0, 4}, "attribute 3, mb, is 4"},
		{"a move of binary16", OpCopy, []uint64{uint64(F16), 4}, "type"},
		{"a cast from int8", OpCast, []uint64{uint64(I8), 4}, "type"},
		{"a view past the end of its rows", OpView, []uint64{1, 2, 4, 3, 2}, "exceeds"},
		{"a group that does not divide the batch", OpGemm, []uint64{6, 1, 1, 1, 4, 0, 0}, "group does not divide"},
		{"heads without a limit", OpGemm, []uint64{6, 1, 1, 1, 3, 0, 3}, "without a limit"},
		{"a limit without heads", OpGemm, []uint64{6, 1, 1, 1, 3, KBelow, 0}, "needs heads"},
		{"heads that do not divide the batch", OpRedMax, []uint64{6, 1, 1, 4}, "heads does not divide"},
		{"an odd head size", OpRope, []uint64{1, 1, 3, 1}, "odd"},
		{"a rope without heads", OpRope, []uint64{1, 0, 2, 1}, "no heads"},
		{"a gradient scale per column", OpXentBwd, []uint64{2, 2, PerCol}, "mg"},
		{"a k whose int32 sums overflow", OpDotI8, []uint64{1, 1, MaxDotI8 + 1}, "too long"},
		{"a distance whose int32 sums overflow", OpDist2I8, []uint64{1, 1, MaxDistI8 + 1}, "too long"},
		{"more winners than columns", OpTopK, []uint64{1, 3, 4}, "exceeds"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Check(c.op, c.attrs); !errors.Is(err, ErrOp) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Check(%v, %d) = %v, want %q", c.op, c.attrs, err, c.want)
			}
		})
	}
}

// of reads from slices of bits.
func of(in ...[]uint32) Read {
	return func(k int, i uint64) uint32 { return in[k][i] }
}

func all32(t *testing.T, op Op, attrs []uint64, in ...[]uint32) []uint32 {
	t.Helper()
	s, err := Check(op, attrs)
	if err != nil {
		t.Fatal(err)
	}
	for k, a := range s.In {
		if uint64(len(in[k])) != a.Len {
			t.Fatalf("%s: input %d has %d elements, wants %d", op, k, len(in[k]), a.Len)
		}
	}
	out := make([]uint32, s.Out.Len)
	for i := range out {
		out[i] = Elem(op, attrs, uint64(i), of(in...))
	}
	return out
}

func floats(v ...float32) []uint32 {
	out := make([]uint32, len(v))
	for i, x := range v {
		out[i] = Bits(x)
	}
	return out
}

func ints(v ...int32) []uint32 {
	out := make([]uint32, len(v))
	for i, x := range v {
		out[i] = uint32(x)
	}
	return out
}

// TestOP02SmallCases are small enough to follow by hand.
func TestOP02SmallCases(t *testing.T) {
	const f32, i32 = uint64(F32), uint64(I32)
	nan := []uint32{0xffc12345}
	for _, c := range []struct {
		name  string
		op    Op
		attrs []uint64
		in    [][]uint32
		want  []uint32
	}{
		{"copy makes NaN canonical", OpCopy, []uint64{f32, 1}, [][]uint32{nan}, []uint32{NaNBits}},
		{"copy of integers keeps every bit", OpCopy, []uint64{i32, 1}, [][]uint32{nan}, nan},
		{"view takes columns", OpView, []uint64{i32, 2, 3, 1, 2}, [][]uint32{ints(1, 2, 3, 4, 5, 6)}, ints(2, 3, 5, 6)},
		{"concat goes row by row", OpConcat, []uint64{i32, 2, 1, 2}, [][]uint32{ints(1, 2), ints(3, 4, 5, 6)}, ints(1, 3, 4, 2, 5, 6)},
		{"transpose of a matrix", OpTranspose, []uint64{i32, 1, 2, 3, 1}, [][]uint32{ints(1, 2, 3, 4, 5, 6)}, ints(1, 4, 2, 5, 3, 6)},
		{"transpose keeps inner together", OpTranspose, []uint64{i32, 1, 2, 2, 2}, [][]uint32{ints(1, 2, 3, 4, 5, 6, 7, 8)}, ints(1, 2, 5, 6, 3, 4, 7, 8)},
		{"gather reads zero outside", OpGather, []uint64{i32, 3, 2, 2}, [][]uint32{ints(1, 2, 3, 4), ints(1, -1, 2)}, ints(3, 4, 0, 0, 0, 0)},
		{"pick takes one per row", OpPick, []uint64{i32, 2, 3, 1}, [][]uint32{ints(1, 2, 3, 4, 5, 6), ints(2, -100)}, ints(3, 0)},
		{"fill of a code takes the low byte", OpFill, []uint64{uint64(I8), 1, 0xff}, nil, ints(-1)},
		{"a sequence repeats", OpFillSeq, []uint64{5, 3, 7}, nil, ints(7, 8, 9, 7, 8)},
		{"ids below zero are not valid", OpValid, []uint64{3}, [][]uint32{ints(-100, 0, 5)}, floats(0, 1, 1)},
		{"add with a bias", OpAdd, []uint64{2, 2, Full, PerCol}, [][]uint32{floats(1, 2, 3, 4), floats(10, 20)}, floats(11, 22, 13, 24)},
		{"mul of rows", OpMul, []uint64{2, 2, Full, PerRow}, [][]uint32{floats(1, 2, 3, 4), floats(10, 20)}, floats(10, 20, 60, 80)},
		{"fma with a scalar is axpy", OpFMA, []uint64{1, 2, One, Full, Full}, [][]uint32{floats(2), floats(1, 2), floats(5, 5)}, floats(7, 9)},
		{"select by sign", OpSelect, []uint64{1, 3, Full, One, One}, [][]uint32{{Bits(1), 0, nan[0]}, floats(8), floats(9)}, floats(8, 9, 9)},
		{"a limited sum", OpRedSum, []uint64{2, 2, 3, 1}, [][]uint32{floats(1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3), ints(0, 1, 2, 9)}, floats(0, 1, 3, 6)},
		{"a limit shared by two heads", OpRedMax, []uint64{2, 1, 2, 2}, [][]uint32{floats(1, 2, 3, 4), ints(1)}, floats(1, 3)},
		{"argmax of ties and NaN", OpArgmax, []uint64{3, 2, 0}, [][]uint32{{Bits(5), Bits(5), Bits(1), nan[0], 0x80000000, 0}}, ints(0, 1, 0)},
		{"argmax in a block that is not there", OpArgmax, []uint64{2, 2, 1}, [][]uint32{floats(1, 2, 3, 4), ints(0, 1)}, ints(1, -1)},
		{"a chain down the columns", OpColChain, []uint64{2, 2, 1}, [][]uint32{floats(1, 2, 3, 4)}, floats(3, 7)},
		{"scatter to token rows", OpScatterChain, []uint64{3, 2, 1}, [][]uint32{ints(1, -100, 1), floats(1, 2, 4)}, floats(0, 5)},
		{"gemm of two by two", OpGemm, []uint64{1, 2, 2, 2, 1, 0, 0}, [][]uint32{floats(1, 2, 3, 4), floats(5, 6, 7, 8)}, floats(17, 23, 39, 53)},
		{"gemm with grouped heads", OpGemm, []uint64{2, 1, 1, 1, 2, 0, 0}, [][]uint32{floats(1, 2), floats(5)}, floats(5, 10)},
		{"gemm below the diagonal", OpGemm, []uint64{1, 2, 2, 1, 1, NBelow, 1}, [][]uint32{floats(1, 2), floats(3, 4), ints(1, 2)}, floats(3, 0, 6, 8)},
		{"gemm over keys so far", OpGemm, []uint64{1, 2, 1, 2, 1, KBelow, 1}, [][]uint32{{Bits(1), nan[0], Bits(2), Bits(3)}, floats(5, 7), ints(1, 2)}, floats(5, 31)},
		{"gemm over keys from here", OpGemm, []uint64{1, 2, 1, 2, 1, KFrom, 1}, [][]uint32{{nan[0], Bits(1), Bits(2), Bits(3)}, floats(5, 7), ints(1, 2)}, floats(7, 0)},
		{"rope turns by a quarter", OpRope, []uint64{1, 1, 2, 2}, [][]uint32{floats(3, 4), floats(1, 0), floats(0, 1), ints(1)}, floats(-4, 3)},
		{"rope_bwd turns back", OpRopeBwd, []uint64{1, 1, 2, 2}, [][]uint32{floats(-4, 3), floats(1, 0), floats(0, 1), ints(1)}, floats(3, 4)},
		{"the gradient of cross-entropy", OpXentBwd, []uint64{2, 2, One}, [][]uint32{floats(.25, .75, .5, .5), ints(1, -100), floats(2)}, floats(.5, -.5, 0, 0)},
		{"quantise and back", OpQuantI8, []uint64{1, 3, 3}, [][]uint32{floats(127, -63.5, 0.4)}, ints(127, -64, 0)},
		{"a group with an infinity", OpQuantScale, []uint64{1, 3, 2}, [][]uint32{{Bits(1), 0x7f800000, Bits(254)}}, []uint32{NaNBits, Bits(2)}},
		{"codes times their scale", OpDequantI8, []uint64{1, 2, 2}, [][]uint32{ints(-3, 5), floats(.5)}, floats(-1.5, 2.5)},
		{"gemm of codes", OpGemmI8, []uint64{1, 1, 3, 2}, [][]uint32{ints(1, 2, 3), floats(1, 10), ints(4, 5, -6), floats(1, 1)}, floats(14 - 180)},
		{"squared distances of codes", OpDist2I8, []uint64{1, 1, 2}, [][]uint32{ints(-127, 127), ints(127, 127)}, ints(254 * 254)},
		{"squared distances", OpDist2F32, []uint64{1, 2, 1}, [][]uint32{floats(1), floats(3, -1)}, floats(4, 4)},
		{"sort by key, rank, column", OpSortPairs, []uint64{f32, 1, 5, 5}, [][]uint32{{nan[0], 0, 0x80000000, Bits(-1), 0}, ints(0, 2, 1, 7, 2)}, ints(3, 2, 1, 4, 0)},
		{"sort in runs", OpSortPairs, []uint64{i32, 1, 5, 2}, [][]uint32{ints(5, -4, 3, 2, 1), ints(0, 0, 0, 0, 0)}, ints(1, 0, 3, 2, 4)},
		{"merge two runs", OpMergePairs, []uint64{i32, 1, 5, 2}, [][]uint32{ints(5, -4, 3, 2, 1), ints(0, 0, 0, 0, 0), ints(1, 0, 3, 2, 4)}, ints(1, 3, 2, 0, 4)},
		{"the greatest two", OpTopK, []uint64{1, 4, 3}, [][]uint32{{Bits(1), nan[0], Bits(3), Bits(3)}}, ints(1, 2, 3)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := all32(t, c.op, c.attrs, c.in...)
			if len(got) != len(c.want) {
				t.Fatalf("%d elements, want %d", len(got), len(c.want))
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%s %d element %d = %08x, want %08x", c.op, c.attrs, i, got[i], c.want[i])
				}
			}
		})
	}
}

func TestFX01HalfPrecisionIsExact(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uint32
	}{
		{"one", Bits(FromF16(0x3c00)), 0x3f800000},
		{"the least subnormal", Bits(FromF16(0x0001)), 0x33800000},
		{"the greatest subnormal below zero", Bits(FromF16(0x83ff)), 0xb87fc000},
		{"minus zero", Bits(FromF16(0x8000)), 0x80000000},
		{"the greatest", Bits(FromF16(0x7bff)), 0x477fe000},
		{"minus infinity", Bits(FromF16(0xfc00)), 0xff800000},
		{"NaN", Bits(FromF16(0xfd55)), NaNBits},
		{"a bfloat16", Bits(FromBF16(0xc049)), 0xc0490000},
		{"a subnormal bfloat16", Bits(FromBF16(0x8001)), 0x80010000},
		{"a NaN bfloat16", Bits(FromBF16(0x7f81)), NaNBits},
	} {
		if c.got != c.want {
			t.Errorf("%s: %08x, want %08x", c.name, c.got, c.want)
		}
	}
}
