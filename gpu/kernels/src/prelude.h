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

// A byte of shared memory by its number, for the instructions below.
typedef u32 shared_at;
__device__ static inline shared_at shared_of(const void *p) {
	shared_at at;
	asm("{ .reg .u64 t; cvta.to.shared.u64 t, %1; cvt.u32.u64 %0, t; }" : "=r"(at) : "l"(p));
	return at;
}

// Copies 16 bytes to shared memory, or zeros, while the thread goes on. Both addresses
// are multiples of 16.
__device__ static inline void copy16(shared_at to, const void *from, int some) {
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(to), "l"(from), "r"(some ? 16 : 0) : "memory");
}
// Ends a group of copies; waits until all but the last n groups of this thread are there.
__device__ static inline void copies_end(void) { asm volatile("cp.async.commit_group;" : : : "memory"); }
#define copies_wait(n) asm volatile("cp.async.wait_group %0;" : : "n"(n) : "memory")

// Four matrices of 8 rows of 16 bytes: lane l says where row l%8 of matrix l/8 is, and
// gets word l%4 of row l/4 of each.
__device__ static inline void matrices(u32 d[4], shared_at row) {
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
		: "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]) : "r"(row) : "memory");
}
