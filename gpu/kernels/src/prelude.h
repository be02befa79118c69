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
__device__ static inline u32 blocky(void) { return (u32)__nvvm_read_ptx_sreg_ctaid_y(); }
__device__ static inline u32 blockz(void) { return (u32)__nvvm_read_ptx_sreg_ctaid_z(); }
__device__ static inline u32 blocks(void) { return (u32)__nvvm_read_ptx_sreg_nctaid_x(); }
__device__ static inline void barrier(void) { __nvvm_bar_sync(0); }
__device__ static inline float down(float x, int lanes) { return __nvvm_shfl_sync_down_f32(0xffffffffu, x, lanes, 31); }
