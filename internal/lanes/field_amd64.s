// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// Eight field elements at a time with the 52-bit multipliers of AVX-512 IFMA.
// A register holds one limb of all eight. Bounds are those of field.go: limbs
// come in below 2^52 and leave below 2^51 + 2^15.

DATA mask51<>+0(SB)/8, $0x7ffffffffffff
GLOBL mask51<>(SB), RODATA|NOPTR, $8
DATA twop0<>+0(SB)/8, $0xfffffffffffda
GLOBL twop0<>(SB), RODATA|NOPTR, $8
DATA twop<>+0(SB)/8, $0xffffffffffffe
GLOBL twop<>(SB), RODATA|NOPTR, $8

DATA laneoff<>+0(SB)/8, $0
DATA laneoff<>+8(SB)/8, $8
DATA laneoff<>+16(SB)/8, $16
DATA laneoff<>+24(SB)/8, $24
DATA laneoff<>+32(SB)/8, $32
DATA laneoff<>+40(SB)/8, $40
DATA laneoff<>+48(SB)/8, $48
DATA laneoff<>+56(SB)/8, $56
GLOBL laneoff<>(SB), RODATA|NOPTR, $64
DATA word320<>+0(SB)/8, $320
GLOBL word320<>(SB), RODATA|NOPTR, $8

#define LOAD5(p, r0, r1, r2, r3, r4) \
	VMOVDQU64 0(p), r0; \
	VMOVDQU64 64(p), r1; \
	VMOVDQU64 128(p), r2; \
	VMOVDQU64 192(p), r3; \
	VMOVDQU64 256(p), r4

#define STORE5(r0, r1, r2, r3, r4, p) \
	VMOVDQU64 r0, 0(p); \
	VMOVDQU64 r1, 64(p); \
	VMOVDQU64 r2, 128(p); \
	VMOVDQU64 r3, 192(p); \
	VMOVDQU64 r4, 256(p)

// One product a·b at place k: the low half at k, the high half apart.
#define MAC(a, b, lo, hi) \
	VPMADD52LUQ b, a, lo; \
	VPMADD52HUQ b, a, hi

// t += 19·r, with u as scratch.
#define FOLD(r, t, u) \
	VPADDQ r, t, t; \
	VPSLLQ $1, r, u; \
	VPADDQ u, t, t; \
	VPSLLQ $4, r, u; \
	VPADDQ u, t, t

// Z10..Z14: one pass of carries, with Z19..Z23 as scratch and the mask in Z31.
#define CARRY \
	VPSRLQ $51, Z10, Z19; \
	VPSRLQ $51, Z11, Z20; \
	VPSRLQ $51, Z12, Z21; \
	VPSRLQ $51, Z13, Z22; \
	VPSRLQ $51, Z14, Z23; \
	VPANDQ Z31, Z10, Z10; \
	VPANDQ Z31, Z11, Z11; \
	VPANDQ Z31, Z12, Z12; \
	VPANDQ Z31, Z13, Z13; \
	VPANDQ Z31, Z14, Z14; \
	VPADDQ Z19, Z11, Z11; \
	VPADDQ Z20, Z12, Z12; \
	VPADDQ Z21, Z13, Z13; \
	VPADDQ Z22, Z14, Z14; \
	FOLD(Z23, Z10, Z24)

#define ZERO18 \
	VPXORQ Z10, Z10, Z10; \
	VPXORQ Z11, Z11, Z11; \
	VPXORQ Z12, Z12, Z12; \
	VPXORQ Z13, Z13, Z13; \
	VPXORQ Z14, Z14, Z14; \
	VPXORQ Z15, Z15, Z15; \
	VPXORQ Z16, Z16, Z16; \
	VPXORQ Z17, Z17, Z17; \
	VPXORQ Z18, Z18, Z18; \
	VPXORQ Z19, Z19, Z19; \
	VPXORQ Z20, Z20, Z20; \
	VPXORQ Z21, Z21, Z21; \
	VPXORQ Z22, Z22, Z22; \
	VPXORQ Z23, Z23, Z23; \
	VPXORQ Z24, Z24, Z24; \
	VPXORQ Z25, Z25, Z25; \
	VPXORQ Z26, Z26, Z26; \
	VPXORQ Z27, Z27, Z27

// Low halves Z10..Z18 and high halves Z19..Z27 of nine places to five limbs in
// Z10..Z14: a high half stands at 2^52, which is twice the next place.
#define REDUCE \
	VPADDQ Z19, Z19, Z19; \
	VPADDQ Z20, Z20, Z20; \
	VPADDQ Z21, Z21, Z21; \
	VPADDQ Z22, Z22, Z22; \
	VPADDQ Z23, Z23, Z23; \
	VPADDQ Z24, Z24, Z24; \
	VPADDQ Z25, Z25, Z25; \
	VPADDQ Z26, Z26, Z26; \
	VPADDQ Z27, Z27, Z27; \
	VPADDQ Z19, Z11, Z11; \
	VPADDQ Z20, Z12, Z12; \
	VPADDQ Z21, Z13, Z13; \
	VPADDQ Z22, Z14, Z14; \
	VPADDQ Z23, Z15, Z15; \
	VPADDQ Z24, Z16, Z16; \
	VPADDQ Z25, Z17, Z17; \
	VPADDQ Z26, Z18, Z18; \
	FOLD(Z15, Z10, Z19); \
	FOLD(Z16, Z11, Z20); \
	FOLD(Z17, Z12, Z21); \
	FOLD(Z18, Z13, Z22); \
	FOLD(Z27, Z14, Z23); \
	CARRY

// func mulAsm(out, a, b *fe)
TEXT ·mulAsm(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	VPBROADCASTQ mask51<>(SB), Z31
	LOAD5(SI, Z0, Z1, Z2, Z3, Z4)
	LOAD5(DX, Z5, Z6, Z7, Z8, Z9)
	ZERO18
	MAC(Z0, Z5, Z10, Z19)
	MAC(Z0, Z6, Z11, Z20)
	MAC(Z0, Z7, Z12, Z21)
	MAC(Z0, Z8, Z13, Z22)
	MAC(Z0, Z9, Z14, Z23)
	MAC(Z1, Z9, Z15, Z24)
	MAC(Z1, Z5, Z11, Z20)
	MAC(Z1, Z6, Z12, Z21)
	MAC(Z1, Z7, Z13, Z22)
	MAC(Z1, Z8, Z14, Z23)
	MAC(Z2, Z9, Z16, Z25)
	MAC(Z2, Z8, Z15, Z24)
	MAC(Z2, Z5, Z12, Z21)
	MAC(Z2, Z6, Z13, Z22)
	MAC(Z2, Z7, Z14, Z23)
	MAC(Z3, Z9, Z17, Z26)
	MAC(Z3, Z8, Z16, Z25)
	MAC(Z3, Z7, Z15, Z24)
	MAC(Z3, Z5, Z13, Z22)
	MAC(Z3, Z6, Z14, Z23)
	MAC(Z4, Z9, Z18, Z27)
	MAC(Z4, Z8, Z17, Z26)
	MAC(Z4, Z7, Z16, Z25)
	MAC(Z4, Z6, Z15, Z24)
	MAC(Z4, Z5, Z14, Z23)
	REDUCE
	STORE5(Z10, Z11, Z12, Z13, Z14, DI)
	VZEROUPPER
	RET

// func sqrAsm(out, a *fe, n uint64)
TEXT ·sqrAsm(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ n+16(FP), CX
	VPBROADCASTQ mask51<>(SB), Z31
	LOAD5(SI, Z10, Z11, Z12, Z13, Z14)

again:
	VMOVDQA64 Z10, Z0
	VMOVDQA64 Z11, Z1
	VMOVDQA64 Z12, Z2
	VMOVDQA64 Z13, Z3
	VMOVDQA64 Z14, Z4
	ZERO18
	// The products of different limbs, to be doubled.
	MAC(Z0, Z1, Z11, Z20)
	MAC(Z0, Z2, Z12, Z21)
	MAC(Z0, Z3, Z13, Z22)
	MAC(Z0, Z4, Z14, Z23)
	MAC(Z1, Z4, Z15, Z24)
	MAC(Z2, Z4, Z16, Z25)
	MAC(Z3, Z4, Z17, Z26)
	MAC(Z1, Z2, Z13, Z22)
	MAC(Z1, Z3, Z14, Z23)
	MAC(Z2, Z3, Z15, Z24)
	VPADDQ Z11, Z11, Z11
	VPADDQ Z12, Z12, Z12
	VPADDQ Z13, Z13, Z13
	VPADDQ Z14, Z14, Z14
	VPADDQ Z15, Z15, Z15
	VPADDQ Z16, Z16, Z16
	VPADDQ Z17, Z17, Z17
	VPADDQ Z20, Z20, Z20
	VPADDQ Z21, Z21, Z21
	VPADDQ Z22, Z22, Z22
	VPADDQ Z23, Z23, Z23
	VPADDQ Z24, Z24, Z24
	VPADDQ Z25, Z25, Z25
	VPADDQ Z26, Z26, Z26
	MAC(Z0, Z0, Z10, Z19)
	MAC(Z1, Z1, Z12, Z21)
	MAC(Z2, Z2, Z14, Z23)
	MAC(Z3, Z3, Z16, Z25)
	MAC(Z4, Z4, Z18, Z27)
	REDUCE
	DECQ CX
	JNZ again
	STORE5(Z10, Z11, Z12, Z13, Z14, DI)
	VZEROUPPER
	RET

// func addAsm(out, a, b *fe)
TEXT ·addAsm(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	VPBROADCASTQ mask51<>(SB), Z31
	LOAD5(SI, Z10, Z11, Z12, Z13, Z14)
	VPADDQ 0(DX), Z10, Z10
	VPADDQ 64(DX), Z11, Z11
	VPADDQ 128(DX), Z12, Z12
	VPADDQ 192(DX), Z13, Z13
	VPADDQ 256(DX), Z14, Z14
	CARRY
	STORE5(Z10, Z11, Z12, Z13, Z14, DI)
	VZEROUPPER
	RET

// func subAsm(out, a, b *fe)
TEXT ·subAsm(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	VPBROADCASTQ mask51<>(SB), Z31
	VPBROADCASTQ twop0<>(SB), Z10
	VPBROADCASTQ twop<>(SB), Z14
	VPADDQ 0(SI), Z10, Z10
	VPADDQ 64(SI), Z14, Z11
	VPADDQ 128(SI), Z14, Z12
	VPADDQ 192(SI), Z14, Z13
	VPADDQ 256(SI), Z14, Z14
	VPSUBQ 0(DX), Z10, Z10
	VPSUBQ 64(DX), Z11, Z11
	VPSUBQ 128(DX), Z12, Z12
	VPSUBQ 192(DX), Z13, Z13
	VPSUBQ 256(DX), Z14, Z14
	CARRY
	STORE5(Z10, Z11, Z12, Z13, Z14, DI)
	VZEROUPPER
	RET

#define GATHER(disp) \
	KXNORW K1, K1, K1; \
	VPGATHERQQ disp(SI)(Z1*1), K1, Z4; \
	VMOVDQU64 Z4, disp(DI)

// func pickAsm(out *cached, table *table, digits *[8]int8)
TEXT ·pickAsm(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ table+8(FP), SI
	MOVQ digits+16(FP), DX
	VPMOVSXBQ (DX), Z0
	VPMOVQ2M Z0, K2         // lanes with a negative digit
	KNOTW K2, K3
	VPABSQ Z0, Z0
	VPSLLQ $10, Z0, Z1
	VPSLLQ $8, Z0, Z2
	VPADDQ Z1, Z2, Z0       // 1280 bytes per entry
	VPADDQ laneoff<>(SB), Z0, Z0
	VPBROADCASTQ word320<>(SB), Z3
	// Y+X, or Y−X for a negative digit
	VMOVDQA64 Z0, Z1
	VPADDQ Z3, Z0, K2, Z1
	GATHER(0)
	GATHER(64)
	GATHER(128)
	GATHER(192)
	GATHER(256)
	// the other one, 320 bytes further on: the index is that much lower
	VPSUBQ Z3, Z0, Z1
	VPADDQ Z3, Z1, K3, Z1
	GATHER(320)
	GATHER(384)
	GATHER(448)
	GATHER(512)
	GATHER(576)
	VMOVDQA64 Z0, Z1
	GATHER(960)
	GATHER(1024)
	GATHER(1088)
	GATHER(1152)
	GATHER(1216)
	GATHER(640)
	GATHER(704)
	GATHER(768)
	GATHER(832)
	GATHER(896)
	// 2dT, negated where the digit is
	VPBROADCASTQ twop0<>(SB), Z5
	VPBROADCASTQ twop<>(SB), Z6
	VMOVDQU64 640(DI), Z4
	VPSUBQ Z4, Z5, K2, Z4
	VMOVDQU64 Z4, 640(DI)
	VMOVDQU64 704(DI), Z4
	VPSUBQ Z4, Z6, K2, Z4
	VMOVDQU64 Z4, 704(DI)
	VMOVDQU64 768(DI), Z4
	VPSUBQ Z4, Z6, K2, Z4
	VMOVDQU64 Z4, 768(DI)
	VMOVDQU64 832(DI), Z4
	VPSUBQ Z4, Z6, K2, Z4
	VMOVDQU64 Z4, 832(DI)
	VMOVDQU64 896(DI), Z4
	VPSUBQ Z4, Z6, K2, Z4
	VMOVDQU64 Z4, 896(DI)
	VZEROUPPER
	RET
