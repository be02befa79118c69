// SPDX-License-Identifier: Apache-2.0

package fx

import (
	"errors"
	"fmt"
	"strings"
)

// ErrOp reports an operation that does not exist or attributes out of bounds.
var ErrOp = errors.New("operation out of bounds")

// Type is the type of a tensor's elements. Its numbers are part of encodings.
type Type uint8

// The types. Everything is little-endian in memory. Spec: FX-01.
const (
	F32  Type = 1 + iota // binary32
	I32                  // int32, two's complement
	I8                   // codes of fx/int8, int8
	F16                  // binary16: input of OpCast only
	BF16                 // the upper half of a binary32: input of OpCast only
)

// Size is the bytes of one element, 0 for an unknown type.
func (t Type) Size() uint64 {
	switch t {
	case F32, I32:
		return 4
	case F16, BF16:
		return 2
	case I8:
		return 1
	}
	return 0
}

// String returns f32, i32, i8, f16 or bf16.
func (t Type) String() string {
	switch t {
	case F32:
		return "f32"
	case I32:
		return "i32"
	case I8:
		return "i8"
	case F16:
		return "f16"
	case BF16:
		return "bf16"
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// Where an operand of an element operation is read for the output element at
// row r and column c of [rows, cols]. Spec: OP-02.
const (
	Full   = 0 // r·cols + c: the operand is [rows, cols]
	PerRow = 1 // r: the operand is [rows]
	PerCol = 2 // c: the operand is [cols]
	One    = 3 // 0: the operand is one scalar
)

// Ranges of OpGemm along n or k for row i of A, L = its entry of the limit
// tensor, cut to 0 … n or k. An element outside the range of n is +0. Spec: OP-02.
const (
	NoLimit = 0
	NBelow  = 1 // only outputs n < L: attention scores
	KBelow  = 2 // the chain runs over k < L: attention times values
	KFrom   = 3 // the chain runs over k ≥ L: gradients of keys and values
)

// Op is an operation with exactly one output tensor. Its attributes are a list
// of integers in a fixed order and say everything but the contents: types and
// lengths of all tensors follow from them (Check), and Elem computes any one
// element of the output. Numbers are part of program ids and never change.
//
// In the comments below attributes stand in brackets in their order, inputs in
// parentheses in theirs, tensors are row-major. "bits" is a binary32 given by
// its bits. An index tensor (idx, ids, lim, pos) is i32. Whatever an index points
// at outside of its tensor reads as zero. Spec: OP-02.
type Op uint16

// Moves. [type] is F32, I32 or I8; F32 is copied with canonical NaN.
const (
	// OpCopy [type len] (x len): x.
	OpCopy Op = 1
	// OpView [type rows len first width] (x rows·len): columns first …
	// first+width−1 of every row; rows = 1 is a range of a flat tensor.
	OpView Op = 2
	// OpConcat [type rows a b] (x rows·a, y rows·b): rows·(a+b), row by row x then y.
	OpConcat Op = 3
	// OpTranspose [type batch rows cols inner] (x batch·rows·cols·inner): the two
	// middle axes change places.
	OpTranspose Op = 4
	// OpGather [type n rows cols] (x rows·cols, idx n): n·cols, row idx[i] of x.
	OpGather Op = 5
	// OpPick [type rows cols n] (x rows·cols, idx rows·n): rows·n, x[r, idx[r, j]].
	OpPick Op = 6
	// OpFill [type len bits]: the constant; I8 takes the low byte, F32 any NaN as 7fc00000.
	OpFill Op = 7
	// OpFillU01 [len seed stream purpose]: u01 of the flat index (FX-06).
	OpFillU01 Op = 8
	// OpFillNormal [len seed stream purpose]: normal of the flat index (FX-06).
	OpFillNormal Op = 9
	// OpFillSign [len seed stream purpose]: ±1 of the flat index (FX-06).
	OpFillSign Op = 10
	// OpFillSeq [len period base]: i32, base + (i mod period), positions and limits.
	OpFillSeq Op = 11
	// OpPerm [n records seed] (step 1): i32 rows of one step: element r is
	// perm(seed, ⌊p/records⌋, records, p mod records) with p = step·n + r (TNS-04).
	OpPerm Op = 12
	// OpAddI32 [len c] (x len): i32, x + c modulo 2³².
	OpAddI32 Op = 13
	// OpValid [len] (ids len): f32, 1 where the id is not negative, else +0.
	OpValid Op = 14
	// OpCast [type len] (x len): f32, exact from F16 and BF16, nearest from I32.
	OpCast Op = 15
)

// Element operations on [rows, cols]; m… are Full, PerRow, PerCol or One.
const (
	// OpAdd [rows cols ma mb] (a, b): a + b. A bias is mb = PerCol.
	OpAdd Op = 32
	// OpSub [rows cols ma mb] (a, b): a − b.
	OpSub Op = 33
	// OpMul [rows cols ma mb] (a, b): a·b. Scaling rows is mb = PerRow.
	OpMul Op = 34
	// OpDiv [rows cols ma mb] (a, b): a/b.
	OpDiv Op = 35
	// OpFMA [rows cols ma mb mc] (a, b, c): fma(a, b, c). With ma = One it is axpy and
	// both halves of SGD (OP-04).
	OpFMA Op = 36
	// OpSelect [rows cols mc ma mb] (c, a, b): a where c > 0, else b.
	OpSelect Op = 37
	// OpScale [len bits] (x len): x·constant.
	OpScale Op = 38
	// OpNeg [len] (x len): the other sign.
	OpNeg Op = 39
	// OpRelu [len] (x len): x > 0 → x, NaN → NaN, else +0 (OP-05).
	OpRelu Op = 40
	// OpReluBwd [len] (x len, g len): x > 0 → g, else +0.
	OpReluBwd Op = 41
	// OpExp [len] (x len), and so on to OpSilu: the functions of FX-05.
	OpExp Op = 42
	// OpLog [len] (x len).
	OpLog Op = 43
	// OpTanh [len] (x len).
	OpTanh Op = 44
	// OpTanhBwd [len] (y len, g len): fma(−y, y, 1)·g, y = tanh(x).
	OpTanhBwd Op = 45
	// OpSigmoid [len] (x len).
	OpSigmoid Op = 46
	// OpSilu [len] (x len).
	OpSilu Op = 47
	// OpSiluBwd [len] (x len, g len): s = sigmoid(x), (s·fma(x, 1−s, 1))·g.
	OpSiluBwd Op = 48
	// OpSqrt [len] (x len).
	OpSqrt Op = 49
	// OpRsqrt [len] (x len): 1/sqrt(x), two roundings.
	OpRsqrt Op = 50
	// OpSwiglu [len] (a len, b len): silu(a)·b. Its gradient for b is OpSwiglu of (a, g).
	OpSwiglu Op = 51
	// OpSwigluBwd [len] (a len, b len, g len): its gradient for a, silu_bwd(a, b·g).
	OpSwigluBwd Op = 52
)

// Reductions of rows of [batch, rows, cols]. heads = 0: all columns. heads > 0
// divides batch and adds the input lim [batch/heads, rows]: row r of batch b is
// reduced over its first lim[b/heads, r] columns (cut to 0 … cols).
const (
	// OpRedSum [batch rows cols heads] (x, lim?): batch·rows·⌈cols/4096⌉ partials of
	// red/1, one per block of 4,096 columns; OpRedSum again joins them (FX-04).
	OpRedSum Op = 64
	// OpRedSumSq [batch rows cols heads] (x, lim?): the same of squares, by fma;
	// partials are joined by OpRedSum.
	OpRedSumSq Op = 65
	// OpRedMax [batch rows cols heads] (x, lim?): the same of the maximum.
	OpRedMax Op = 66
	// OpArgmax [rows cols block] (x rows·cols, blk? rows): i32, the column of the
	// greatest, lowest of equals, NaN above +Inf. block = 1 looks only in columns
	// 4096·blk[r] … +4095 (none: −1), so that long rows take OpRedMax, OpArgmax, OpArgmax.
	OpArgmax Op = 67
	// OpColChain [batch rows cols] (x): batch·cols, the chain of additions over rows
	// ascending: bias gradients, sums over the heads of a group.
	OpColChain Op = 68
	// OpScatterChain [tokens rows cols] (ids tokens, g tokens·cols): rows·cols, row v
	// is the chain of additions of the rows of g whose id is v, ascending.
	OpScatterChain Op = 69
)

// Matrices and transformers.
const (
	// OpGemm [batch m n k group limit heads] (A batch·m·k, B batch/group·n·k, lim?):
	// C[b, i, j] = chain_k fma(A[b, i, k], B[b/group, j, k], acc); group is H/H_kv for
	// grouped queries. limit other than NoLimit adds lim [batch/heads, m]: L of row i
	// of batch b is lim[b/heads, i]; heads divides batch, and is 0 for NoLimit.
	OpGemm Op = 96
	// OpRope [tokens heads d positions] (x tokens·heads·d, cos positions·d/2, sin
	// positions·d/2, pos tokens): with j = i + d/2 and cos, sin of row pos[t]:
	// y_i = fma(−x_j, sin, x_i·cos), y_j = fma(x_i, sin, x_j·cos).
	OpRope Op = 128
	// OpRopeBwd is OpRope with sin negated.
	OpRopeBwd Op = 129
	// OpXentBwd [rows cols mg] (p rows·cols, ids rows, g): (p − [c = id])·g; +0 in rows
	// with a negative id. p is a softmax, mg is PerRow or One.
	OpXentBwd Op = 130
)

// Optimizer; state scalars and the step size are tensors of one element.
const (
	// OpAdamM [len β1] (m len, g len): fma(β1, m, (1−β1)·g); β1 in bits.
	OpAdamM Op = 160
	// OpAdamV [len β2] (v len, g len): fma(β2, v, ((1−β2)·g)·g); β2 in bits.
	OpAdamV Op = 161
	// OpAdamP [len ε wd] (p len, m len, v len, b1 1, b2 1, lr 1): with the new m and v, u =
	// (m/(1−b1)) / (sqrt(v/(1−b2)) + ε), fma(−lr, fma(wd, p, u), p); ε, wd in bits.
	OpAdamP Op = 162
	// OpClipScale [c] (s 1): min(1, c/(sqrt(s) + 1e-6)); c in bits, 1e-6 is 358637bd.
	OpClipScale Op = 163
)

// Integers (FX-07). Codes are −127 … 127; −128 counts as its value; int32 sums
// are modulo 2³².
const (
	// OpQuantScale [rows k g] (x rows·k): rows·⌈k/g⌉ scales.
	OpQuantScale Op = 192
	// OpQuantI8 [rows k g] (x rows·k): i8 codes rows·k.
	OpQuantI8 Op = 193
	// OpDequantI8 [rows k g] (q rows·k, s rows·⌈k/g⌉): float(q)·s.
	OpDequantI8 Op = 194
	// OpGemmI8 [m n k g] (xq m·k, xs m·⌈k/g⌉, wq n·k, ws n·⌈k/g⌉): m·n, chain over groups
	// of fma(float(dot), s_x·s_w, acc).
	OpGemmI8 Op = 195
	// OpDotI8 [m n k] (x m·k, y n·k): i32 m·n, sums of products.
	OpDotI8 Op = 196
	// OpDist2I8 [m n k] (x m·k, y n·k): i32 m·n, sums of squared differences.
	OpDist2I8 Op = 197
	// OpDist2F32 [m n k] (x m·k, y n·k): chain of fma(d, d, acc), d = x − y.
	OpDist2F32 Op = 198
	// OpSortPairs [type rows n width] (keys rows·n, rank n): i32 rows·n, each run of
	// width columns (the last may be shorter) replaced by the columns themselves in
	// ascending order of (key, rank, column). type is F32 or I32, rank is i32, NaN
	// stands above +Inf, −0 = +0.
	OpSortPairs Op = 199
	// OpMergePairs [type rows n width] (keys rows·n, rank n, order rows·n): joins each
	// two neighbouring sorted runs of width columns.
	OpMergePairs Op = 200
	// OpTopK [rows n k] (x rows·n): i32 rows·k, columns of the k greatest in descending
	// order, lowest column of equals, NaN above +Inf.
	OpTopK Op = 201
)

// Benchmarks (BEN-02).
const (
	// OpBenchFill [len seed stream]: i8; bytes 16w … 16w+15 are the little-endian words of
	// Philox applied 64 times to its own output, from counter (w low, w high, stream,
	// purpose 6); −128 becomes −127.
	OpBenchFill Op = 224
	// OpBenchMix [len] (y len i32): i8, the top byte of y·0x9e3779b1; −128 becomes −127.
	OpBenchMix Op = 225
)

// Read returns the bits of element i of input in: an F32 as its bits, an I32 as
// two's complement, an I8 sign-extended, F16 and BF16 in the low half. Elem calls
// it only for elements that exist.
type Read func(in int, i uint64) uint32

func (r Read) f(in int, i uint64) float32 { return FromBits(r(in, i)) }

// opRow is all that the package knows of one operation. Exactly one of elem and
// chain is set.
type opRow struct {
	op    Op
	name  string
	attrs string // names in order, as in the comments above
	sig   func(a []uint64) (Sig, error)
	elem  func(a []uint64, i uint64, read Read) uint32
	chain func(a []uint64, i, from, to uint64, acc uint32, read Read) uint32
}

// row returns the table row of op, or nil. The table is short and sorted.
func (op Op) row() *opRow {
	for t := range tables {
		for i := range tables[t] {
			if tables[t][i].op == op {
				return &tables[t][i]
			}
		}
	}
	return nil
}

// String returns the operation's name.
func (op Op) String() string {
	if r := op.row(); r != nil {
		return r.name
	}
	return fmt.Sprintf("op(%d)", uint16(op))
}

// AttrNames returns the names of the attributes in their order, nil for an
// unknown operation.
func (op Op) AttrNames() []string {
	if r := op.row(); r != nil {
		return strings.Fields(r.attrs)
	}
	return nil
}

// Ops returns every operation, ascending.
func Ops() []Op {
	var out []Op
	for _, t := range tables {
		for _, r := range t {
			out = append(out, r.op)
		}
	}
	return out
}

// OpOf returns the operation of a name. Errors: ErrOp.
func OpOf(name string) (Op, error) {
	for _, t := range tables {
		for _, r := range t {
			if r.name == name {
				return r.op, nil
			}
		}
	}
	return 0, fmt.Errorf("%w: no operation is named %q", ErrOp, name)
}
