// SPDX-License-Identifier: Apache-2.0
//
// What clang needs to compile for a card without a vendor's toolkit (GPU-06).

#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))

__device__ static inline u32 thread(void) { return (u32)__nvvm_read_ptx_sreg_tid_x(); }
__device__ static inline u32 threads(void) { return (u32)__nvvm_read_ptx_sreg_ntid_x(); }
__device__ static inline u32 blockx(void) { return (u32)__nvvm_read_ptx_sreg_ctaid_x(); }
__device__ static inline u32 blocks(void) { return (u32)__nvvm_read_ptx_sreg_nctaid_x(); }
__device__ static inline void barrier(void) { __nvvm_bar_sync(0); }
__device__ static inline float down(float x, int lanes) { return __nvvm_shfl_sync_down_f32(0xffffffffu, x, lanes, 31); }

// s + the dot product of four codes with four.
__device__ static inline i32 dot4(i32 s, u32 p, u32 q) {
	i32 r;
	asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(r) : "r"(p), "r"(q), "r"(s));
	return r;
}

// D = A·Bᵀ + D for A of 16 × 32 and B of 8 × 32 codes.
__device__ static inline void mma(i32 d[4], const u32 p[4], const u32 q[2]) {
	asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
		: "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
		: "r"(p[0]), "r"(p[1]), "r"(p[2]), "r"(p[3]), "r"(q[0]), "r"(q[1]));
}
